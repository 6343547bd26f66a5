import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

import { expect, test as base, type BrowserContext, type Page } from "@playwright/test";

import { cuttingProxy, type CuttingProxy } from "../../sdk/typescript/testing/cutting-proxy";
import { owner } from "../../sdk/typescript/testing/program";
import { Instance } from "./instance";

export { expect, owner };

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

interface Fixtures {
  /** Signs the person in on the page. */
  signIn: (code?: string) => Promise<void>;
  /** Opens the console in the session that the tests share. It ends when a test signs out everywhere. */
  enter: () => Promise<void>;
}

interface WorkerFixtures {
  /** The session that the tests of a worker share. */
  shared: { cookies: Awaited<ReturnType<BrowserContext["cookies"]>> };
  instance: Instance;
  /** What the pages reach the instance through. */
  line: CuttingProxy;
}

/** Tests against a real instance. A violation of the policy, a foreign request or an error of the page fails the test. */
export const test = base.extend<Fixtures, WorkerFixtures>({
  shared: [
    async ({}, use) => {
      await use({ cookies: [] });
    },
    { scope: "worker" },
  ],
  instance: [
    async ({}, use) => {
      const instance = await Instance.start();
      await use(instance);
      await instance.stop();
    },
    { scope: "worker", timeout: 90_000 },
  ],
  line: [
    async ({ instance }, use) => {
      const line = await cuttingProxy(new URL(instance.url));
      await use(line);
      line.close();
    },
    { scope: "worker" },
  ],
  baseURL: async ({ line }, use) => {
    await use(line.url);
  },
  page: async ({ page, line }, use) => {
    const problems: string[] = [];
    await page.addInitScript(() => {
      addEventListener(
        "securitypolicyviolation",
        ({ violatedDirective, blockedURI, sourceFile, lineNumber }) => {
          console.error(`CSP ${violatedDirective} ${blockedURI} ${sourceFile}:${lineNumber}`);
        },
      );
    });
    page.on("console", (message) => {
      const text = message.text();
      // The browser itself reports failed requests, which some tests cause.
      const isOurs = message.type() === "error" && !text.startsWith("Failed to load resource");
      if (isOurs) problems.push(text.slice(0, 500));
    });
    page.on("pageerror", (error) => problems.push(`error: ${error.message}`));
    page.on("request", (request) => {
      const isOwn = request.url().startsWith(line.url) || request.url().startsWith("data:image/svg");
      if (!isOwn) problems.push(`foreign request: ${request.url()}`);
    });
    await use(page);
    expect(problems).toEqual([]);
  },
  enter: async ({ page, context, signIn, shared }, use) => {
    await use(async () => {
      if (shared.cookies.length === 0) {
        await signIn();
        shared.cookies = await context.cookies();
        return;
      }
      await context.addCookies(shared.cookies);
      await page.goto("/");
      await expect(page.getByRole("navigation", { name: "Main navigation" })).toBeVisible();
    });
  },
  signIn: async ({ page }, use) => {
    await use(async (code) => {
      await page.goto("/");
      await page.getByLabel("E-mail address").fill(owner.email);
      await page.getByLabel("Password").fill(owner.password);
      await page.getByRole("button", { name: "Sign in" }).click();
      if (code !== undefined) {
        await page.getByLabel("Code of your app").fill(code);
        await page.getByRole("button", { name: "Continue" }).click();
      }
      await expect(page.getByRole("navigation", { name: "Main navigation" })).toBeVisible();
    });
  },
});

interface AxeResult {
  violations: { id: string; nodes: { html: string; failureSummary: string }[] }[];
}

/** Checks the page with axe-core. */
export async function expectAccessible(page: Page): Promise<void> {
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate(async () => {
    const { axe } = window as unknown as { axe: { run: () => Promise<AxeResult> } };
    return axe.run();
  });
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html} ${nodes[0]?.failureSummary}`);
  expect(found, "axe violations").toEqual([]);
}
