/** Tests calls, errors, uploads, sessions and React in a Chromium page whose origin is not the server's. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Code } from "@connectrpc/connect";
import type { Request } from "playwright-core";

import {
  browser,
  call,
  createAccount,
  deleteAccounts,
  inPage,
  live,
  openTab,
  otherOrigin,
  pageOrigin,
  patience,
  person,
  proxyFor,
  server,
  tab,
  vintedbot,
} from "./stage.js";

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
  const other = await openTab(tab.context(), otherOrigin);
  let calls = 0;
  other.on("request", (request) => (calls += Number(request.url().endsWith("/GetMe"))));
  const { problem, code, message } = await call(other, "getMeFails", server);
  assert.deepEqual([problem, code], ["origin_not_allowed", Code.PermissionDenied]);
  assert.ok(message.includes(`${otherOrigin}: add this origin to ALLOWED_ORIGINS`), message);
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
  const { email, password } = person;
  const context = await browser.newContext();
  try {
    const [first, second] = [await openTab(context), await openTab(context)];
    assert.equal(await call(first, "openSession", server.baseUrl), false);
    assert.equal(await call(first, "signIn", email, password), email);
    assert.equal(await call(second, "openSession", server.baseUrl), true);
    assert.deepEqual(await Promise.all([call(first, "whoAmI"), call(second, "whoAmI")]), [email, email]);

    // An access token that the server refuses, as after its expiry.
    await first.evaluate(() => {
      const tokens = JSON.parse(localStorage.getItem("vintedbot.tokens") ?? "") as { accessToken: string };
      tokens.accessToken = `${tokens.accessToken.slice(0, -8)}AAAAAAAA`;
      localStorage.setItem("vintedbot.tokens", JSON.stringify(tokens));
    });
    let refreshes = 0;
    context.on("request", (request) => (refreshes += Number(request.url().endsWith("/RefreshSession"))));
    for (const one of [first, second]) assert.equal(await call(one, "openSession", server.baseUrl), true);
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
  }
});

test("React page shows changes that are made elsewhere", async () => {
  const one = await (await browser.newContext()).newPage();
  await one.goto(`${pageOrigin}/react`);
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

test("useWatch reads all again after a gap, and shows its end", async () => {
  const one = await (await browser.newContext()).newPage();
  await one.goto(`${pageOrigin}/react`);
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
