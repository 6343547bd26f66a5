/**
 * Builds an app from the samples of `docs/lovable.md` alone, and uses it in Chromium against a real server in mock mode,
 * as a person would. The guide is the first argument, or `docs/lovable.md`.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { chromium } from "playwright-core";

import { chromiumLaunch } from "../testing/chromium.js";
import { root, startProgram } from "../testing/program.js";
import { lastLines, stopCommands } from "./command.js";
import { samples } from "./guide.js";
import { makeProjects } from "./projects.js";
import { serveFolder } from "./static-server.js";
import { steps, type World } from "./steps.js";

const sdk = resolve(".");

/** What to undo at the end, in reverse order. */
const undo: (() => unknown)[] = [];

async function cleanUp(): Promise<void> {
  stopCommands();
  for (const step of undo.splice(0).reverse()) await step();
}

async function prepare(guide: string): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), "vintedbot-lovable-"));
  undo.push(() => rm(folder, { recursive: true, force: true }));
  const code = await samples(guide);
  const pages = await serveFolder(join(folder, "app/dist"));
  const inboxPages = await serveFolder(join(folder, "react-inbox/dist"));
  undo.push(() => [pages.close(), inboxPages.close()]);
  const appOrigin = `http://127.0.0.1:${pages.port}`;
  const inboxOrigin = `http://127.0.0.1:${inboxPages.port}`;
  const settings = {
    ALLOWED_ORIGINS: `${appOrigin},${inboxOrigin}`,
    BROWSER: "required",
    BROWSER_PACING: "0ms",
  };
  const starting = startProgram(settings, ["--seed"]);
  undo.push(() =>
    starting.then(
      (instance) => instance.stop(),
      () => undefined,
    ),
  );
  const [instance, projects] = await Promise.all([
    starting,
    makeProjects(folder, { sdk, example: join(root, "examples/react-inbox"), samples: code }),
  ]);
  const browser = await chromium.launch({
    ...chromiumLaunch,
    // Otherwise a signal ends this process before it has cleaned up.
    handleSIGINT: false,
    handleSIGTERM: false,
    handleSIGHUP: false,
  });
  undo.push(() => browser.close());
  const page = await (await browser.newContext()).newPage();
  page.setDefaultTimeout(60_000);
  return { instance, projects, page, appOrigin, inboxOrigin };
}

async function main(): Promise<boolean> {
  let passed = 0;
  let world: World | undefined;
  try {
    for (const [number, [name, step]] of steps.entries()) {
      const start = Date.now();
      try {
        world ??= await prepare(resolve(process.argv[2] ?? join(root, "docs/lovable.md")));
        const seen = await step(world);
        passed++;
        console.log(`${number + 1} ${name}: ${seen} (${((Date.now() - start) / 1000).toFixed(1)} s)`);
      } catch (thrown) {
        const words = thrown instanceof Error ? thrown.message : String(thrown);
        console.log(`${number + 1} ${name}: FAILED: ${words}`);
        if (world !== undefined) {
          const shown = await world.page.innerText("body").catch(() => "nothing");
          console.log(
            `\nThe page shows:\n${shown.slice(0, 2_000)}\n\nThe server's log:\n${lastLines(world.instance.log())}`,
          );
        }
        break;
      }
    }
  } finally {
    await cleanUp();
  }
  console.log(`lovable: ${steps.length} steps, ${passed} passed`);
  return passed === steps.length;
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => void cleanUp().finally(() => process.exit(130)));
}
process.exitCode = (await main()) ? 0 : 1;
