/**
 * Tests the SDK in a real Chromium page whose origin is not the server's.
 *
 * Requires a running server whose ALLOWED_ORIGINS includes PAGE_ORIGIN, and the variables VINTEDBOT_URL and
 * VINTEDBOT_TOKEN_FILE. Optional: PAGE_ORIGIN (http://127.0.0.1:5173) and CHROMIUM (/usr/bin/chromium).
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { after, before, test } from "node:test";

import { build } from "esbuild";
import { chromium, type Browser, type Page as BrowserPage } from "playwright-core";

import { cuttingProxy } from "./cutting-proxy.js";
import type { Page } from "./page.js";

const cuts = 5;
const pageOrigin = new URL(process.env["PAGE_ORIGIN"] ?? "http://127.0.0.1:5173");

let server: { baseUrl: string; token: string };
let pages: Server;
let browser: Browser;
let tab: BrowserPage;

before(async () => {
  server = {
    baseUrl: needed("VINTEDBOT_URL"),
    token: (await readFile(needed("VINTEDBOT_TOKEN_FILE"), "utf8")).trim(),
  };
  assert.notEqual(new URL(server.baseUrl).origin, pageOrigin.origin, "the page must be of another origin");
  const bundle = await build({
    entryPoints: ["test/page.ts"],
    bundle: true,
    format: "iife",
    write: false,
    logLevel: "warning",
  });
  pages = createServer((_, response) => {
    response.setHeader("content-type", "text/html; charset=utf-8");
    response.end(`<!doctype html><title>SDK test</title><script>${bundle.outputFiles[0]?.text}</script>`);
  });
  pages.listen(Number(pageOrigin.port), pageOrigin.hostname);
  await once(pages, "listening");
  browser = await chromium.launch({
    executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--no-first-run",
    ],
  });
  tab = await browser.newPage();
  await tab.goto(pageOrigin.href);
});

after(async () => {
  await browser?.close();
  pages?.close();
});

test("unary call returns a response", async () => {
  const { workspaceId, scopes } = await inPage("getMe", server);
  assert.match(workspaceId, /^[0-9a-f-]{36}$/);
  assert.ok(scopes.includes("events:read"));
});

test("error has its reason and details", async () => {
  const id = crypto.randomUUID();
  const missing = await inPage("getMissingListing", server, id);
  assert.equal(missing.reason, "NOT_FOUND");
  assert.equal(missing.metadata["resource_id"], id);

  const accountId = await inPage("createAccount", server, "typed errors");
  const wrong = await inPage("createWrongListing", server, accountId);
  await inPage("deleteAccount", server, accountId);
  assert.equal(wrong.reason, "VALIDATION_FAILED");
  assert.deepEqual(
    wrong.violations.map(({ field, code }) => ({ field, code })),
    [{ field: "listing.title", code: "CODE_TOO_MANY" }],
  );
});

test("interrupted watch delivers every event once", async () => {
  const proxy = await cuttingProxy(new URL(server.baseUrl));
  const made: string[] = [];
  try {
    await inPage("startWatch", { ...server, baseUrl: proxy.url });
    await tab.waitForFunction(() => window.page.watched().cursors > 0 || window.page.watched().failure);
    for (let number = 1; number <= cuts; number++) {
      made.push(await inPage("createAccount", server, `before cut ${number}`));
      assert.ok(proxy.cut() > 0, "a connection is open");
      made.push(await inPage("createAccount", server, `during cut ${number}`));
      await tab.waitForFunction(
        ([id, number]) => {
          const { seen, cuts, failure } = window.page.watched();
          return (cuts >= number && seen.some((event) => event.resourceId === id)) || failure;
        },
        [made.at(-1) ?? "", number] as const,
      );
    }
    const { seen, failure } = await inPage("watched");
    assert.equal(failure, "");
    const created = seen.filter(
      (event) => event.kind === "ACCOUNT_CREATED" && made.includes(event.resourceId),
    );
    assert.deepEqual(
      created.map((event) => event.resourceId),
      made,
    );
    const first = BigInt(seen[0]?.sequence ?? 0);
    assert.deepEqual(
      seen.map((event) => event.sequence),
      seen.map((_, index) => String(first + BigInt(index))),
    );
  } finally {
    await inPage("stopWatch");
    proxy.close();
    for (const id of made) await inPage("deleteAccount", server, id);
  }
});

test("photo is uploaded by a call and displayed", async () => {
  const { width, height } = await inPage("upload", server);
  assert.equal(width / height, 640 / 480);
});

test("photo is uploaded to a signed URL and displayed", async () => {
  const { width, height } = await inPage("put", server);
  assert.equal(width / height, 640 / 480);
});

/** Calls a function of `page.ts` inside the browser's page. */
async function inPage<Name extends keyof Page>(
  name: Name,
  ...args: Parameters<Page[Name]>
): Promise<Awaited<ReturnType<Page[Name]>>> {
  return tab.evaluate(([name, args]) => (window.page[name] as (...args: unknown[]) => never)(...args), [
    name,
    args as unknown[],
  ] as const);
}

function needed(name: string): string {
  const value = process.env[name];
  assert.ok(value, `${name} must be set`);
  return value;
}
