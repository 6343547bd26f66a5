/** Tests watches in Chromium pages: lost and silent connections, proxies, and many tabs over HTTP/1.1. */
import assert from "node:assert/strict";
import { test } from "node:test";

import type { Page as BrowserPage } from "playwright-core";

import {
  browser,
  call,
  createAccount,
  deleteAccounts,
  inPage,
  live,
  openTab,
  patience,
  proxyFor,
  saw,
  sawOnce,
  server,
  tab,
  vintedbot,
} from "./stage.js";

const cuts = 5;
/** Two more than the connections that a browser opens to a server over HTTP/1.1. */
const tabCount = 8;

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
