import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { test, type TestContext } from "node:test";

import { Code } from "@connectrpc/connect";

import { callError, createVintedbot, watch, type CallError, type Vintedbot } from "../src/index.js";
import { AuthService, GetMeResponseSchema } from "../src/gen/vintedbot/v1/auth_pb.js";
import { begin, page, reply, serve } from "./scripted-server.js";

const auth = { token: "vb_test" };

function connect(baseUrl: string): Vintedbot {
  return createVintedbot({ baseUrl, auth, retry: false });
}

async function failure(call: Promise<unknown>): Promise<CallError> {
  return call.then(() => assert.fail("the call must fail"), callError);
}

/** Calls a server with this answer, and returns the error. */
async function answered(
  t: TestContext,
  answer: (response: ServerResponse) => void,
): Promise<{ error: CallError; url: string }> {
  const server = await serve(answer);
  t.after(() => server.close());
  return { error: await failure(connect(server.url).auth.getMe({})), url: server.url };
}

for (const baseUrl of [
  undefined,
  "",
  "vintedbot.example",
  "localhost:8080",
  "/api",
  "ftp://host",
  "http://",
]) {
  test(`base URL ${JSON.stringify(baseUrl)} is refused`, () => {
    assert.throws(
      () => createVintedbot({ baseUrl: baseUrl as string, auth }),
      (error) => error instanceof TypeError && /^baseUrl must be .* VITE_API_BASE_URL/.test(error.message),
    );
  });
}

test("base URL keeps its path and loses its slash", async (t) => {
  const server = await serve((response) => reply(response, GetMeResponseSchema));
  t.after(() => server.close());
  await connect(`${server.url}/api/`).auth.getMe({});
  assert.equal(server.heard[0]?.path, `/api/${AuthService.typeName}/GetMe`);
});

test("wrong port is unreachable", async () => {
  const server = await serve(() => undefined);
  await server.close();
  const { problem, code, message, reasonName } = await failure(connect(server.url).auth.getMe({}));
  assert.deepEqual(
    { problem, code, reasonName },
    { problem: "unreachable", code: Code.Unavailable, reasonName: "" },
  );
  assert.match(
    message,
    /^nothing answers at http:\S+: check that vintedbot runs there, and the host and port/,
  );
  assert.ok(message.includes(server.url));
});

for (const status of [200, 404, 500]) {
  test(`HTML with status ${status} is not vintedbot`, async (t) => {
    const { error, url } = await answered(t, (response) => page(response, status));
    assert.equal(error.problem, "not_vintedbot");
    assert.equal(error.code, Code.Unknown);
    assert.match(error.message, /answered HTTP \d+ with "text\/html".*check that the address and port/);
    assert.ok(error.message.startsWith(url));
  });
}

test("JSON of another server is not vintedbot", async (t) => {
  const { error } = await answered(t, (response) => page(response, 404, "application/json", "{}"));
  assert.equal(error.problem, "not_vintedbot");
});

for (const contentType of ["text/html", ""]) {
  const form = contentType === "" ? "empty" : "HTML";
  for (const status of [401, 403, 413]) {
    test(`${form} ${status} of a proxy refuses the call`, async (t) => {
      const { error } = await answered(t, (response) => page(response, status, contentType));
      assert.equal(error.problem, "proxy");
      assert.equal(error.code, Code.Unknown);
      assert.match(error.message, new RegExp(`refused the call: HTTP ${status} .*let it pass calls`));
    });
  }
  for (const status of [408, 429, 502, 503, 504]) {
    test(`${form} ${status} of a proxy is temporary`, async (t) => {
      const { error } = await answered(t, (response) => page(response, status, contentType));
      assert.equal(error.problem, "proxy");
      assert.equal(error.code, Code.Unavailable);
      assert.match(error.message, new RegExp(`answered HTTP ${status} .*cannot reach vintedbot now`));
    });
  }
}

test("redirect names itself as the problem", async (t) => {
  const { error } = await answered(t, (response) => {
    response.writeHead(301, { location: "https://elsewhere.example/" }).end();
  });
  assert.equal(error.problem, "not_vintedbot");
  assert.match(error.message, /redirects calls/);
});

const broken: Record<string, (response: ServerResponse) => void> = {
  "connection that breaks before the message": (response) => {
    response.writeHead(200, { "content-type": "application/grpc-web+proto" });
    response.flushHeaders();
    setTimeout(() => response.destroy(), 20);
  },
  "connection that breaks after the message": (response) => {
    begin(response, GetMeResponseSchema, { workspaceId: "w" });
    setTimeout(() => response.destroy(), 20);
  },
  "answer that ends inside of a frame": (response) => {
    response.writeHead(200, { "content-type": "application/grpc-web+proto" });
    response.end(new Uint8Array([0, 0, 0, 0, 9, 1, 2]));
  },
  "answer that ends without a trailer": (response) => {
    begin(response, GetMeResponseSchema, { workspaceId: "w" });
    response.end();
  },
  "answer that ends inside of its trailer": (response) => {
    begin(response, GetMeResponseSchema, { workspaceId: "w" });
    response.end(new Uint8Array([0x80, 0, 0, 0, 15, 103]));
  },
};
for (const [name, answer] of Object.entries(broken)) {
  test(`${name} is unavailable`, async (t) => {
    const { error, url } = await answered(t, answer);
    assert.equal(error.problem, undefined);
    assert.equal(error.code, Code.Unavailable);
    assert.equal(error.reasonName, "");
    assert.match(error.message, /broke before the answer was complete.*call again/);
    assert.ok(error.message.includes(url));
  });
}

test("answer in many small pieces is complete", async (t) => {
  const server = await serve((response) => {
    const pieces: Uint8Array[] = [];
    const collect = {
      writeHead: () => undefined,
      write: (piece: Uint8Array) => pieces.push(piece),
      end: (piece: Uint8Array) => pieces.push(piece),
    };
    reply(collect as unknown as ServerResponse, GetMeResponseSchema, { workspaceId: "w" });
    const bytes = Buffer.concat(pieces);
    response.writeHead(200, { "content-type": "application/grpc-web+proto" });
    const next = (at: number): void => {
      if (at === bytes.length) response.end();
      else response.write(bytes.subarray(at, at + 1), () => setTimeout(next, 1, at + 1));
    };
    next(0);
  });
  t.after(() => server.close());
  assert.equal((await connect(server.url).auth.getMe({})).workspaceId, "w");
});

test("deadline ends a call that gets no answer", async (t) => {
  const server = await serve(() => undefined);
  t.after(() => server.close());
  const vintedbot = createVintedbot({ baseUrl: server.url, auth, timeoutMs: 100 });
  const { code, problem, requestId } = await failure(vintedbot.auth.getMe({}));
  assert.deepEqual({ code, problem }, { code: Code.DeadlineExceeded, problem: undefined });
  assert.equal(requestId, server.heard[0]?.headers["x-request-id"]);
});

test("aborted call fails as canceled", async (t) => {
  const abort = new AbortController();
  const server = await serve(() => abort.abort());
  t.after(() => server.close());
  const call = connect(server.url).auth.getMe({}, { signal: abort.signal });
  assert.equal((await failure(call)).code, Code.Canceled);
});

/** Makes this process look like a page. The answers of `fetch` by path: absent ones fail, as if hidden or lost. */
function asPage(t: TestContext, { origin = "https://app.example", isOnline = true } = {}) {
  const globals = { location: { origin }, navigator: { onLine: isOnline } };
  for (const [name, value] of Object.entries(globals)) {
    Object.defineProperty(globalThis, name, { value, configurable: true });
    t.after(() => void Reflect.deleteProperty(globalThis, name));
  }
  const answers: Record<string, Response> = {};
  const paths: string[] = [];
  const fetch = async (input: RequestInfo | URL): Promise<Response> => {
    const { pathname } = new URL(String(input));
    paths.push(pathname);
    const answer = answers[pathname];
    if (answer === undefined) throw new TypeError("Failed to fetch");
    return answer.clone();
  };
  const vintedbot = createVintedbot({ baseUrl: "https://api.example", auth, retry: false, fetch });
  return { answers, paths, vintedbot };
}

const getMe = `/${AuthService.typeName}/GetMe`;
const status = Response.json({ status: "ok" });

test("readable health tells that the origin is not allowed", async (t) => {
  const { answers, paths, vintedbot } = asPage(t);
  answers["/health"] = status;
  const { problem, code, message } = await failure(vintedbot.auth.getMe({}));
  assert.deepEqual([problem, code], ["origin_not_allowed", Code.PermissionDenied]);
  assert.match(message, /not to pages of https:\/\/app.example: add this origin to ALLOWED_ORIGINS/);
  assert.deepEqual(paths, [getMe, "/ready", "/health"]);
});

test("origin that is not allowed ends a watch", async (t) => {
  const { answers, paths, vintedbot } = asPage(t);
  answers["/health"] = status;
  assert.equal((await failure(watch(vintedbot.events).next())).problem, "origin_not_allowed");
  assert.equal(paths.filter((path) => path.endsWith("/Watch")).length, 1);
});

test("call that breaks at an allowed origin is unreachable", async (t) => {
  const { answers, vintedbot } = asPage(t);
  answers["/health"] = answers["/ready"] = status;
  const { problem, code } = await failure(vintedbot.auth.getMe({}));
  assert.deepEqual([problem, code], ["unreachable", Code.Unavailable]);
});

test("page of another server is unreachable", async (t) => {
  const { answers, vintedbot } = asPage(t);
  answers["/health"] = new Response("<p>Hi", { headers: { "content-type": "text/html" } });
  assert.equal((await failure(vintedbot.auth.getMe({}))).problem, "unreachable");
});

test("origin of an earlier answer stays allowed", async (t) => {
  const { answers, paths, vintedbot } = asPage(t);
  const headers = { "content-type": "application/grpc-web+proto", "grpc-status": "5" };
  answers[getMe] = new Response(null, { headers });
  assert.equal((await failure(vintedbot.auth.getMe({}))).code, Code.NotFound);
  delete answers[getMe];
  answers["/health"] = status;
  assert.equal((await failure(vintedbot.auth.getMe({}))).problem, "unreachable");
  assert.deepEqual(paths, [getMe, getMe]);
});

test("page of the server itself probes nothing", async (t) => {
  const { answers, paths, vintedbot } = asPage(t, { origin: "https://api.example" });
  answers["/health"] = status;
  assert.equal((await failure(vintedbot.auth.getMe({}))).problem, "unreachable");
  assert.deepEqual(paths, [getMe]);
});

test("device without a network is offline", async (t) => {
  const { paths, vintedbot } = asPage(t, { isOnline: false });
  const { problem, code } = await failure(vintedbot.auth.getMe({}));
  assert.deepEqual([problem, code], ["offline", Code.Unavailable]);
  assert.deepEqual(paths, [getMe]);
});

test("https page cannot call an http server", async (t) => {
  asPage(t);
  const fetch = () => Promise.reject(new TypeError("Failed to fetch"));
  for (const [baseUrl, expected] of [
    ["http://api.example", /blocks http:\/\/api.example for pages that were loaded by https/],
    ["http://localhost:8080", /nothing answers/],
    ["http://127.0.0.1:8080", /nothing answers/],
  ] as const) {
    const { problem, message } = await failure(
      createVintedbot({ baseUrl, auth, retry: false, fetch }).auth.getMe({}),
    );
    assert.equal(problem, "unreachable");
    assert.match(message, expected);
  }
});
