import { defineConfig } from "@playwright/test";

import { chromiumLaunch } from "../sdk/typescript/testing/chromium";

export default defineConfig({
  testDir: "e2e",
  testMatch: "*.spec.ts",
  // One instance for each worker; the tests of a worker share it.
  workers: 1,
  timeout: 30_000,
  expect: { timeout: 8_000 },
  reporter: [["list"], ["./e2e/reporter.ts"]],
  use: {
    locale: "en-GB",
    timezoneId: "Europe/Paris",
    video: "off",
    trace: "off",
    viewport: { width: 1360, height: 860 },
    launchOptions: chromiumLaunch,
  },
});
