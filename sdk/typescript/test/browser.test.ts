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
import type { AddressInfo } from "node:net";
import { after, before, test, type TestContext } from "node:test";

import { Code } from "@connectrpc/connect";
import { build } from "esbuild";
import {
  chromium,
  type Browser,
  type BrowserContext,
  type Page as BrowserPage,
  type Request,
} from "playwright-core";

import { createVintedbot, type Vintedbot } from "../src/index.js";
import { cuttingProxy, type CuttingProxy } from "./cutting-proxy.js";
import { startInstance } from "./instance.js";
import type { Page } from "./page.js";

const cuts = 5;
/** Two more than the connections that a browser opens to a server over HTTP/1.1. */
const tabCount = 8;
const pageOrigin = new URL(process.env["PAGE_ORIGIN"] ?? "http://127.0.0.1:5173");
/** A machine may be busy. */
const patience = { timeout: 60_000 };

let server: { baseUrl: string; token: string };
/** A client outside of the browser. */
let vintedbot: Vintedbot;
let pages: Server;
/** The same pages at an origin that the server does not allow. */
let otherPages: Server;
let browser: Browser;
let tab: BrowserPage;

before(async () => {
  server = {
    baseUrl: needed("VINTEDBOT_URL"),
    token: (await readFile(needed("VINTEDBOT_TOKEN_FILE"), "utf8")).trim(),
  };
  vintedbot = createVintedbot({ baseUrl: server.baseUrl, auth: { token: server.token } });
  assert.notEqual(new URL(server.baseUrl).origin, pageOrigin.origin, "the page must be of another origin");
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
  const pageServer = (): Server =>
    createServer((request, response) => {
      response.setHeader("content-type", "text/html; charset=utf-8");
      response.end(html[request.url === "/react" ? 1 : 0]);
    });
  pages = pageServer().listen(Number(pageOrigin.port), pageOrigin.hostname);
  await once(pages, "listening");
  otherPages = pageServer().listen(0, "127.0.0.1");
  await once(otherPages, "listening");
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
  tab = await openTab(await browser.newContext());
});

after(async () => {
  await browser?.close();
  pages?.close();
  otherPages?.close();
});

test("unary call returns a response", async () => {
  const { workspaceId, scopes } = await inPage("getMe", server);
  assert.match(workspaceId, /^[0-9a-f-]{36}$/);
  assert.ok(scopes.includes("events:read"));
});

test("error has its reason and details", async () => {
  const id = crypto.randomUUID();
  const missing = await inPage("getMissingListing", server, id, "");
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

test("error has the id that the preflight allowed", async () => {
  const sent: (string | undefined)[] = [];
  const listen = (request: Request): void => {
    if (request.url().endsWith("/GetListing")) sent.push(request.headers()["x-request-id"]);
  };
  tab.on("request", listen);
  const own = await inPage("getMissingListing", server, crypto.randomUUID(), "mine-1");
  const generated = await inPage("getMissingListing", server, crypto.randomUUID(), "");
  tab.off("request", listen);
  assert.equal(own.requestId, "mine-1");
  assert.match(generated.requestId, /^[0-9a-f-]{36}$/);
  assert.deepEqual(sent, [own.requestId, generated.requestId]);
});

test("server that does not run is unreachable", async (t) => {
  const proxy = await proxyFor(t);
  proxy.close();
  const { problem, code, message } = await inPage("getMeFails", { ...server, baseUrl: proxy.url });
  assert.deepEqual([problem, code], ["unreachable", Code.Unavailable]);
  assert.match(message, /nothing answers at/);
});

test("origin that is not allowed is named at once", async () => {
  const { port } = otherPages.address() as AddressInfo;
  const other = await openTab(tab.context(), `http://127.0.0.1:${port}`);
  let calls = 0;
  other.on("request", (request) => (calls += Number(request.url().endsWith("/GetMe"))));
  const { problem, code, message } = await call(other, "getMeFails", server);
  assert.deepEqual([problem, code], ["origin_not_allowed", Code.PermissionDenied]);
  assert.ok(message.includes(`http://127.0.0.1:${port}: add this origin to ALLOWED_ORIGINS`), message);
  assert.equal(calls, 1);

  await call(other, "startWatch", server);
  await other.waitForFunction(() => window.page.watched().failure, undefined, patience);
  const { failure, states } = await call(other, "watched");
  assert.equal(failure?.problem, "origin_not_allowed");
  assert.deepEqual(
    states.map(({ status }) => status),
    ["connecting"],
  );
  await other.close();
});

test("deadline ends a call that gets no answer", async (t) => {
  const proxy = await proxyFor(t);
  proxy.stall(true);
  const { code, problem, requestId, durationMs } = await inPage(
    "getMeFails",
    { ...server, baseUrl: proxy.url },
    500,
  );
  assert.deepEqual([code, problem], [Code.DeadlineExceeded, ""]);
  assert.match(requestId, /^[0-9a-f-]{36}$/);
  assert.ok(durationMs < 10_000, `it took ${durationMs} ms`);
});

test("interrupted watch delivers every event once", async (t) => {
  const proxy = await proxyFor(t);
  const made: string[] = [];
  try {
    await inPage("startWatch", { ...server, baseUrl: proxy.url });
    await live(tab);
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
        patience,
      );
    }
    await sawOnce(tab, made);
  } finally {
    await inPage("stopWatch");
    for (const id of made) await inPage("deleteAccount", server, id);
  }
});

test("silent stream is replaced and loses no event", async (t) => {
  const proxy = await proxyFor(t);
  await inPage("startWatch", { ...server, baseUrl: proxy.url }, { silenceMs: 2_000 });
  await live(tab);
  proxy.hold();
  const id = await createAccount("while the proxy holds back");
  await saw(tab, id);
  const { states } = await inPage("watched");
  assert.ok(states.some(({ status, problem }) => status === "waiting" && problem === "silent"));
  await sawOnce(tab, [id]);
  await inPage("stopWatch");
  await deleteAccounts(id);
});

for (const [name, header, expected] of [
  ["hidden by the browser", "", "unreachable"],
  ["with CORS", "access-control-allow-origin: *\r\n", "not_vintedbot"],
] as const) {
  test(`proxy's 404 ${name} does not end a watch`, async (t) => {
    const proxy = await proxyFor(t);
    await inPage("startWatch", { ...server, baseUrl: proxy.url });
    await live(tab);
    proxy.answerWith(
      `HTTP/1.1 404 Not Found\r\ncontent-type: text/html\r\n${header}content-length: 2\r\nconnection: close\r\n\r\nno`,
    );
    proxy.cut();
    await tab.waitForFunction(
      (expected) => {
        const { states, failure } = window.page.watched();
        return failure || states.filter(({ problem }) => problem === expected).length >= 2;
      },
      expected,
      patience,
    );
    const id = await createAccount("during the 404");
    proxy.answerWith();
    await saw(tab, id);
    await sawOnce(tab, [id]);
    await inPage("stopWatch");
    await deleteAccounts(id);
  });
}

test("revoked token ends a watch for good", async () => {
  const { apiToken, secret } = await vintedbot.auth.createApiToken({
    name: "to revoke",
    scopes: ["events:read"],
  });
  await inPage("startWatch", { ...server, token: secret });
  await live(tab);
  await vintedbot.auth.revokeApiToken({ id: apiToken?.id ?? "" });
  await tab.waitForFunction(() => window.page.watched().failure, undefined, patience);
  assert.equal((await inPage("watched")).failure?.reason, "TOKEN_INVALID");
});

test("eight tabs watch and call over HTTP/1.1", async (t) => {
  const proxy = await proxyFor(t);
  const shared = { ...server, baseUrl: proxy.url };
  const context = await browser.newContext();
  let tabs: BrowserPage[] = [];
  for (let number = 1; number <= tabCount; number++) {
    const one = await openTab(context);
    await call(one, "startWatch", shared, { isShared: true });
    await live(one);
    tabs.push(one);
  }
  const { workspaceId } = await call(tabs.at(-1)!, "getMe", shared);
  assert.match(workspaceId, /^[0-9a-f-]{36}$/);
  const made = [await createAccount("for all tabs")];
  for (const one of tabs) await saw(one, made[0]!);

  // The first tab has the stream, then the second one, and so on.
  for (let number = 1; number <= 3; number++) {
    const before = createAccount(`before close ${number}`);
    const [closed, ...others] = tabs;
    await closed?.close();
    tabs = others;
    made.push(await before, await createAccount(`after close ${number}`));
  }
  for (const one of tabs) {
    await saw(one, made.at(-1)!);
    await sawOnce(one, made);
  }
  await call(tabs[0]!, "getMe", shared);
  await context.close();
  await deleteAccounts(...made);
});

test("eight tabs that open at once read their snapshots", async (t) => {
  const proxy = await proxyFor(t);
  const shared = { ...server, baseUrl: proxy.url };
  const context = await browser.newContext();
  const tabs = await Promise.all(Array.from({ length: tabCount }, () => openTab(context)));
  await Promise.all(tabs.map((one) => call(one, "startWatch", shared, { isShared: true, snapshot: true })));
  await Promise.all(tabs.map(live));
  await call(tabs.at(-1)!, "getMe", shared);
  const id = await createAccount("after the snapshots");
  for (const one of tabs) {
    await saw(one, id);
    await sawOnce(one, [id]);
  }
  await context.close();
  await deleteAccounts(id);
});

test("page without Web Locks watches while it is visible", async () => {
  const context = await browser.newContext();
  await context.addInitScript(() => Object.defineProperty(navigator, "locks", { value: undefined }));
  const one = await openTab(context);
  await call(one, "startWatch", server, { isShared: true });
  await live(one);
  await call(one, "setHidden", true);
  await one.waitForFunction(
    () => window.page.watched().states.at(-1)?.status === "hidden",
    undefined,
    patience,
  );
  const id = await createAccount("while hidden");
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.deepEqual((await call(one, "watched")).seen, []);
  await call(one, "setHidden", false);
  await saw(one, id);
  await sawOnce(one, [id]);
  await context.close();
  await deleteAccounts(id);
});

test("photo is uploaded by a call and displayed", async () => {
  const { width, height } = await inPage("upload", server);
  assert.equal(width / height, 640 / 480);
});

test("photo is uploaded to a signed URL and displayed", async () => {
  const { width, height } = await inPage("put", server);
  assert.equal(width / height, 640 / 480);
});

test("upload reports its progress", async () => {
  const { width, height, fileName, size, progress } = await inPage("uploadWithProgress", server);
  assert.equal(width / height, 1600 / 1200);
  assert.equal(fileName, "noise.jpg");
  assert.deepEqual(progress.at(-1), [size, size]);
  assert.deepEqual(
    progress.map(([sent]) => sent),
    progress.map(([sent]) => sent).sort((a, b) => a - b),
  );
});

test("aborted upload is canceled", async () => {
  const { code, progress } = await inPage("abortUpload", server);
  assert.equal(code, Code.Canceled);
  assert.equal(progress.length, 1);
});

test("file that is no image is refused with its reason", async () => {
  const { reason, code, requestId } = await inPage("uploadText", server);
  assert.deepEqual([reason, code], ["PHOTO_NOT_AN_IMAGE", Code.InvalidArgument]);
  assert.match(requestId, /^[0-9a-f-]{36}$/);
});

test("tabs share one session and refresh it once", async () => {
  const instance = await startInstance(pageOrigin.origin);
  const { email, password } = instance.person;
  const context = await browser.newContext();
  try {
    const [first, second] = [await openTab(context), await openTab(context)];
    assert.equal(await call(first, "openSession", instance.baseUrl), false);
    assert.equal(await call(first, "signIn", email, password), email);
    assert.equal(await call(second, "openSession", instance.baseUrl), true);
    assert.deepEqual(await Promise.all([call(first, "whoAmI"), call(second, "whoAmI")]), [email, email]);

    // An access token that the server refuses, as after its expiry.
    await first.evaluate(() => {
      const tokens = JSON.parse(localStorage.getItem("vintedbot.tokens") ?? "") as { accessToken: string };
      tokens.accessToken = `${tokens.accessToken.slice(0, -8)}AAAAAAAA`;
      localStorage.setItem("vintedbot.tokens", JSON.stringify(tokens));
    });
    let refreshes = 0;
    context.on("request", (request) => (refreshes += Number(request.url().endsWith("/RefreshSession"))));
    for (const one of [first, second]) assert.equal(await call(one, "openSession", instance.baseUrl), true);
    const calls = Array.from({ length: 10 }, (_, at) => call(at % 2 === 0 ? first : second, "whoAmI"));
    assert.deepEqual(new Set(await Promise.all(calls)), new Set([email]));
    assert.equal(refreshes, 1);

    await call(first, "watchSession");
    await live(first);
    await call(second, "signOut");
    await first.waitForFunction(() => window.page.watched().failure, undefined, patience);
    assert.equal((await call(first, "watched")).failure?.reason, "TOKEN_INVALID");
    assert.deepEqual(await call(first, "sessionState"), { isSignedIn: false, ends: [""], tokens: undefined });
  } finally {
    await context.close();
    await instance.stop();
  }
});

test("React page shows changes that are made elsewhere", async () => {
  const one = await (await browser.newContext()).newPage();
  await one.goto(new URL("/react", pageOrigin).href);
  const remove = await one.evaluateHandle((server) => window.show(server), server);
  const names = (): Promise<string[]> => one.locator("#accounts li").allTextContents();
  await one.locator("#state", { hasText: "live" }).waitFor(patience);
  const before = await names();

  const id = await createAccount("Made elsewhere");
  await one.locator("li", { hasText: "Made elsewhere" }).waitFor(patience);
  const account = { displayName: "Renamed elsewhere" };
  await vintedbot.accounts.updateAccount({ id, account, updateMask: { paths: ["display_name"] } });
  await one.locator("li", { hasText: "Renamed elsewhere" }).waitFor(patience);
  assert.equal((await names()).length, before.length + 1);
  await deleteAccounts(id);
  await one.waitForFunction(
    (count) => document.querySelectorAll("#accounts li").length === count,
    before.length,
    patience,
  );
  assert.deepEqual(await names(), before);
  assert.equal(await one.locator("#error").textContent(), "");

  const { Watch = 0, ListAccounts = 0 } = await one.evaluate(() => window.calls);
  assert.ok(Watch <= 2, `${Watch} streams`);
  assert.ok(ListAccounts >= 4 && ListAccounts <= 6, `${ListAccounts} reads of the list`);
  await remove.evaluate((remove) => remove());
  await one.waitForFunction(
    async () => (await navigator.locks.query()).held?.length === 0,
    undefined,
    patience,
  );
  await one.context().close();
});

/** Starts a proxy in front of the server, which ends with the test. */
async function proxyFor(t: TestContext): Promise<CuttingProxy> {
  const proxy = await cuttingProxy(new URL(server.baseUrl));
  t.after(() => proxy.close());
  return proxy;
}

test("useWatch reads all again after a gap, and shows its end", async () => {
  const one = await (await browser.newContext()).newPage();
  await one.goto(new URL("/react", pageOrigin).href);
  await one.evaluate(() => window.showScripted());
  const shows = (selector: string, hasText: string): Promise<void> =>
    one.locator(selector, { hasText }).waitFor(patience);
  const stream = (act: "send" | "fail", reason = ""): Promise<void> =>
    one.evaluate(([act, reason]) => window.streams.at(-1)?.[act](reason), [act, reason] as const);

  // React runs each effect twice in strict mode, and the first stream must end.
  await shows("#state", "connecting");
  await shows("li", "read");
  const first = await one.evaluate(() => window.calls["ListAccounts"] ?? 0);
  assert.deepEqual(await one.evaluate(() => window.streams.map(({ isAborted }) => isAborted)), [true, false]);

  await stream("send");
  await shows("#state", "live");
  await shows("li", `read ${first + 1}`);
  await stream("send");
  await stream("fail", "CURSOR_EXPIRED");
  await one.waitForFunction(() => window.streams.length === 3, undefined, patience);
  await stream("send");
  await shows("li", `read ${first + 2}`);
  await shows("#state", "live");

  await one.evaluate(() => window.setEnabled(false));
  await shows("#state", "disabled");
  assert.deepEqual(await one.evaluate(() => window.streams.at(-1)?.isAborted), true);
  await one.evaluate(() => window.setEnabled(true));
  await shows("#state", "connecting");
  await stream("fail", "TOKEN_INVALID");
  await shows("#state", "ended: ERROR_REASON_TOKEN_INVALID");
  assert.deepEqual(await one.evaluate(() => [window.streams.length, window.calls["ListAccounts"]]), [
    4,
    first + 2,
  ]);
  await one.context().close();
});

async function openTab(context: BrowserContext, origin = pageOrigin.href): Promise<BrowserPage> {
  const opened = await context.newPage();
  await opened.goto(origin);
  return opened;
}

/** Calls a function of `page.ts` inside a tab. */
async function call<Name extends keyof Page>(
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
function inPage<Name extends keyof Page>(
  name: Name,
  ...args: Parameters<Page[Name]>
): Promise<Awaited<ReturnType<Page[Name]>>> {
  return call(tab, name, ...args);
}

/** Waits until a tab's watch has a position. */
async function live(where: BrowserPage): Promise<void> {
  await where.waitForFunction(
    () => window.page.watched().cursors > 0 || window.page.watched().failure,
    undefined,
    patience,
  );
  assert.equal((await call(where, "watched")).failure, undefined);
}

/** Waits until a tab has the event about a resource. */
async function saw(where: BrowserPage, id: string): Promise<void> {
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
async function sawOnce(where: BrowserPage, made: string[]): Promise<void> {
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
async function createAccount(displayName: string): Promise<string> {
  const { account } = await vintedbot.accounts.createAccount({ displayName, market: "fr" });
  assert.ok(account);
  return account.id;
}

async function deleteAccounts(...ids: string[]): Promise<void> {
  for (const id of ids) await vintedbot.accounts.deleteAccount({ id });
}

function needed(name: string): string {
  const value = process.env[name];
  assert.ok(value, `${name} must be set`);
  return value;
}
