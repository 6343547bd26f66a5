import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";

import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";

import {
  AuthService,
  callError,
  createConnection,
  createVintedbot,
  type ConnectionOptions,
  type ApiTokenOptions,
} from "../src/index.js";
import { ErrorInfoSchema } from "../src/gen/google/rpc/error_details_pb.js";
import {
  GetMeResponseSchema,
  RefreshSessionResponseSchema,
  SignInResponseSchema,
} from "../src/gen/vintedbot/v1/auth_pb.js";
import { WatchResponseSchema } from "../src/gen/vintedbot/v1/event_pb.js";
import { begin, refuse, reply, serve } from "./scripted-server.js";

const expired = new ConnectError("no", Code.Unauthenticated, undefined, [
  { desc: ErrorInfoSchema, value: { reason: "ERROR_REASON_TOKEN_EXPIRED", domain: "vintedbot" } },
]);

async function answering(t: TestContext, options: Partial<ConnectionOptions<ApiTokenOptions>> = {}) {
  const server = await serve((response, _, n) =>
    n === 1 ? response.destroy() : reply(response, GetMeResponseSchema),
  );
  t.after(() => server.close());
  return {
    ...createConnection({ baseUrl: server.url, auth: { token: "vb_1" }, ...options }),
    heard: server.heard,
  };
}

test("API token is sent with each call", async (t) => {
  const { client, heard } = await answering(t);
  await client(AuthService).getMe({});
  assert.deepEqual(
    heard.map(({ headers }) => headers.authorization),
    ["Bearer vb_1", "Bearer vb_1"],
  );
});

test("token function is called before each attempt", async (t) => {
  let calls = 0;
  const { client, heard } = await answering(t, { auth: { token: () => Promise.resolve(`vb_${++calls}`) } });
  await client(AuthService).getMe({});
  assert.deepEqual(
    heard.map(({ headers }) => headers.authorization),
    ["Bearer vb_1", "Bearer vb_2"],
  );
});

test("error of the token function is the call's error", async (t) => {
  const token = (): string => {
    throw new Error("the vault is closed");
  };
  const { client, heard } = await answering(t, { auth: { token } });
  const error = await client(AuthService)
    .getMe({})
    .then(() => assert.fail("it must fail"), callError);
  assert.match(error.message, /the vault is closed/);
  assert.equal(heard.length, 0);
});

test("interceptors see each attempt with its credential", async (t) => {
  const seen: (string | null)[] = [];
  const interceptor: Interceptor = (next) => (request) => {
    seen.push(request.header.get("authorization"));
    request.header.set("x-mine", "1");
    return next(request);
  };
  const { client, heard } = await answering(t, { interceptors: [interceptor] });
  await client(AuthService).getMe({});
  assert.deepEqual(seen, ["Bearer vb_1", "Bearer vb_1"]);
  assert.deepEqual(
    heard.map(({ headers }) => headers["x-mine"]),
    ["1", "1"],
  );
});

test("timeout is sent to the server", async (t) => {
  const { client, heard } = await answering(t, { timeoutMs: 5_000 });
  await client(AuthService).getMe({});
  assert.equal(heard[0]?.headers["grpc-timeout"], "5000m");
});

test("own fetch carries all calls", async (t) => {
  const urls: string[] = [];
  const fetch: typeof globalThis.fetch = (input, init) => {
    urls.push(String(input));
    return globalThis.fetch(input, init);
  };
  const { client } = await answering(t, { fetch });
  await client(AuthService).getMe({});
  assert.equal(urls.length, 2);
  assert.ok(urls.every((url) => url.endsWith("/GetMe")));
});

test("session signs in, refreshes and calls over one server", async (t) => {
  const paths: string[] = [];
  const server = await serve((response, { path, headers }) => {
    const method = path.split("/").at(-1) ?? "";
    paths.push(`${method} ${headers.authorization ?? "-"}`);
    const tokens = (n: number) => ({ accessToken: `access-${n}`, refreshToken: `refresh-${n}` });
    if (method === "SignIn")
      reply(response, SignInResponseSchema, { user: { email: "a@b.c" }, tokens: tokens(1) });
    else if (method === "RefreshSession")
      reply(response, RefreshSessionResponseSchema, { tokens: tokens(2) });
    else if (headers.authorization === "Bearer access-2") reply(response, GetMeResponseSchema);
    else refuse(response, expired);
  });
  t.after(() => server.close());
  const { session, auth } = createVintedbot({ baseUrl: server.url, auth: {} });
  await session.signIn({ email: "a@b.c", password: "secret" });
  await auth.getMe({});
  assert.deepEqual(paths, ["SignIn -", "GetMe Bearer access-1", "RefreshSession -", "GetMe Bearer access-2"]);
});

test("connection watches outside of a browser", async (t) => {
  const server = await serve((response, _, n) => {
    const value = { sequence: BigInt(n) };
    begin(response, WatchResponseSchema, { cursor: String(n), message: { case: "event", value } });
    setTimeout(() => response.destroy(), 20);
  });
  t.after(() => server.close());
  const { watch } = createConnection({ baseUrl: server.url, auth: { token: "vb_1" } });
  const seen: string[] = [];
  for await (const { cursor } of watch()) if (seen.push(cursor) === 2) break;
  assert.deepEqual(seen, ["1", "2"]);
});

test("only a session has a session, and auth is one of both", () => {
  const compiles = (): void => {
    void createVintedbot({ baseUrl: "http://x", auth: { tokens: "cookies" } }).session.isSignedIn;
    // @ts-expect-error An API token has no session.
    void createVintedbot({ baseUrl: "http://x", auth: { token: "vb_1" } }).session;
    // @ts-expect-error The credential is missing.
    createVintedbot({ baseUrl: "http://x" });
    // @ts-expect-error The option of earlier versions.
    createVintedbot({ baseUrl: "http://x", token: "vb_1" });
  };
  void compiles;
});
