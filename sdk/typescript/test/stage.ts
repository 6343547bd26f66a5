/**
 * The stage of the browser tests: an instance, pages whose origin is not the instance's, and Chromium. Importing this
 * file registers what starts and ends them.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, type TestContext } from "node:test";

import { build } from "esbuild";
import { chromium, type Browser, type BrowserContext, type Page as BrowserPage } from "playwright-core";

import { createVintedbot, type Vintedbot } from "../src/index.js";
import { chromiumLaunch } from "../testing/chromium.js";
import { cuttingProxy, type CuttingProxy } from "../testing/cutting-proxy.js";
import { startInstance, type Instance } from "./instance.js";
import type { Page } from "./page.js";

/** A machine may be busy. */
export const patience = { timeout: 60_000 };

/** What a page needs to call the instance. */
export let server: { baseUrl: string; token: string };
export let person: Instance["person"];
/** A client outside of the browser. */
export let vintedbot: Vintedbot;
/** The origin of the pages. The instance allows it. */
export let pageOrigin: string;
/** The same pages at an origin that the instance does not allow. */
export let otherOrigin: string;
export let browser: Browser;
export let tab: BrowserPage;

let instance: Instance | undefined;
const pageServers: Server[] = [];

before(async () => {
  const { outputFiles } = await build({
    entryPoints: ["test/page.ts", "test/react-page.ts"],
    bundle: true,
    format: "iife",
    // Strict mode runs each effect twice in this build only.
    define: { "process.env.NODE_ENV": '"development"' },
    outdir: "dist-test",
    write: false,
    logLevel: "warning",
  });
  const html = outputFiles.map(
    ({ text }) => `<!doctype html><title>SDK test</title><body><script>${text}</script></body>`,
  );
  const serve = async (): Promise<string> => {
    const pages = createServer((request, response) => {
      response.setHeader("content-type", "text/html; charset=utf-8");
      response.end(html[request.url === "/react" ? 1 : 0]);
    });
    pageServers.push(pages);
    await once(pages.listen(0, "127.0.0.1"), "listening");
    return `http://127.0.0.1:${(pages.address() as AddressInfo).port}`;
  };
  [pageOrigin, otherOrigin] = [await serve(), await serve()];
  instance = await startInstance(pageOrigin);
  server = { baseUrl: instance.baseUrl, token: instance.token };
  person = instance.person;
  vintedbot = createVintedbot({ baseUrl: server.baseUrl, auth: { token: server.token } });
  browser = await chromium.launch(chromiumLaunch);
  tab = await openTab(await browser.newContext());
});

after(async () => {
  await browser?.close();
  for (const pages of pageServers) pages.close();
  await instance?.stop();
});

/** Starts a proxy in front of the server, which ends with the test. */
export async function proxyFor(t: TestContext): Promise<CuttingProxy> {
  const proxy = await cuttingProxy(new URL(server.baseUrl));
  t.after(() => proxy.close());
  return proxy;
}

export async function openTab(context: BrowserContext, origin = pageOrigin): Promise<BrowserPage> {
  const opened = await context.newPage();
  await opened.goto(origin);
  return opened;
}

/** Calls a function of `page.ts` inside a tab. */
export async function call<Name extends keyof Page>(
  where: BrowserPage,
  name: Name,
  ...args: Parameters<Page[Name]>
): Promise<Awaited<ReturnType<Page[Name]>>> {
  return where.evaluate(([name, args]) => (window.page[name] as (...args: unknown[]) => never)(...args), [
    name,
    args as unknown[],
  ] as const);
}

/** Calls a function of `page.ts` inside the first tab. */
export function inPage<Name extends keyof Page>(
  name: Name,
  ...args: Parameters<Page[Name]>
): Promise<Awaited<ReturnType<Page[Name]>>> {
  return call(tab, name, ...args);
}

/** Waits until a tab's watch has a position. */
export async function live(where: BrowserPage): Promise<void> {
  await where.waitForFunction(
    () => window.page.watched().cursors > 0 || window.page.watched().failure,
    undefined,
    patience,
  );
  assert.equal((await call(where, "watched")).failure, undefined);
}

/** Waits until a tab has the event about a resource. */
export async function saw(where: BrowserPage, id: string): Promise<void> {
  await where.waitForFunction(
    (id) => {
      const { seen, failure } = window.page.watched();
      return seen.some(({ resourceId }) => resourceId === id) || failure;
    },
    id,
    patience,
  );
}

/** Checks that a tab has the creation of each account once and in order, and no gap. */
export async function sawOnce(where: BrowserPage, made: string[]): Promise<void> {
  const { seen, failure } = await call(where, "watched");
  assert.equal(failure, undefined);
  const created = seen.filter(
    ({ kind, resourceId }) => kind === "ACCOUNT_CREATED" && made.includes(resourceId),
  );
  assert.deepEqual(
    created.map(({ resourceId }) => resourceId),
    made,
  );
  const first = BigInt(seen[0]?.sequence ?? 0);
  assert.deepEqual(
    seen.map(({ sequence }) => sequence),
    seen.map((_, index) => String(first + BigInt(index))),
  );
}

/** Creates an account outside of the browser. */
export async function createAccount(displayName: string): Promise<string> {
  const { account } = await vintedbot.accounts.createAccount({ displayName, market: "fr" });
  assert.ok(account);
  return account.id;
}

export async function deleteAccounts(...ids: string[]): Promise<void> {
  for (const id of ids) await vintedbot.accounts.deleteAccount({ id });
}
