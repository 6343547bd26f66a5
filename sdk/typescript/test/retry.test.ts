import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { test, type TestContext } from "node:test";

import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";

import { callError, createVintedbot, watch, type CallError, type ServerOptions } from "../src/index.js";
import { ErrorInfoSchema, RetryInfoSchema } from "../src/gen/google/rpc/error_details_pb.js";
import { GetMeResponseSchema, SignInResponseSchema } from "../src/gen/vintedbot/v1/auth_pb.js";
import { WatchResponseSchema } from "../src/gen/vintedbot/v1/event_pb.js";
import {
  CreateListingRequestSchema,
  CreateListingResponseSchema,
  DeleteListingRequestSchema,
} from "../src/gen/vintedbot/v1/listing_pb.js";
import { begin, page, refuse, reply, requestOf, serve } from "./scripted-server.js";

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** An error of the server with a reason. */
function refusal(code: Code, reason: string, retryAfterMs?: number): ConnectError {
  const info = { desc: ErrorInfoSchema, value: { reason: `ERROR_REASON_${reason}`, domain: "vintedbot" } };
  const seconds = BigInt(Math.floor((retryAfterMs ?? 0) / 1_000));
  const nanos = ((retryAfterMs ?? 0) % 1_000) * 1_000_000;
  const retry = { desc: RetryInfoSchema, value: { retryDelay: { seconds, nanos } } };
  return new ConnectError("no", code, undefined, retryAfterMs === undefined ? [info] : [info, retry]);
}

const unavailable = refusal(Code.Unavailable, "UNAVAILABLE");

/** Connects to a server that answers as the script says. */
async function scripted(
  t: TestContext,
  answer: (response: ServerResponse, n: number) => void,
  options: Partial<ServerOptions> = {},
) {
  const server = await serve((response, _, n) => answer(response, n));
  t.after(() => server.close());
  const vintedbot = createVintedbot({ baseUrl: server.url, auth: { token: "vb_test" }, ...options });
  return { heard: server.heard, vintedbot };
}

async function failure(call: Promise<unknown>): Promise<CallError> {
  return call.then(() => assert.fail("the call must fail"), callError);
}

test("read is repeated after UNAVAILABLE", async (t) => {
  const { heard, vintedbot } = await scripted(t, (response, n) =>
    n < 3 ? refuse(response, unavailable) : reply(response, GetMeResponseSchema, { workspaceId: "w" }),
  );
  assert.equal((await vintedbot.auth.getMe({})).workspaceId, "w");
  assert.equal(heard.length, 3);
});

const interruptions: Record<string, (response: ServerResponse) => void> = {
  "a connection that breaks at once": (response) => response.destroy(),
  "a connection that breaks in the answer": (response) => {
    begin(response, GetMeResponseSchema);
    setTimeout(() => response.destroy(), 20);
  },
  "an answer that is cut short": (response) => {
    begin(response, GetMeResponseSchema);
    response.end();
  },
  "a proxy's 502": (response) => page(response, 502),
};
for (const [name, interrupt] of Object.entries(interruptions)) {
  test(`read is repeated after ${name}`, async (t) => {
    const { heard, vintedbot } = await scripted(t, (response, n) =>
      n === 1 ? interrupt(response) : reply(response, GetMeResponseSchema, { workspaceId: "w" }),
    );
    assert.equal((await vintedbot.auth.getMe({})).workspaceId, "w");
    assert.equal(heard.length, 2);
  });
}

test("fourth failed attempt is the last", async (t) => {
  const { heard, vintedbot } = await scripted(t, (response) => refuse(response, unavailable));
  const { code, reasonName } = await failure(vintedbot.auth.getMe({}));
  assert.deepEqual([code, reasonName], [Code.Unavailable, "ERROR_REASON_UNAVAILABLE"]);
  assert.equal(heard.length, 4);
});

test("refused read is not repeated", async (t) => {
  for (const answer of [
    (response: ServerResponse) => refuse(response, refusal(Code.NotFound, "NOT_FOUND")),
    (response: ServerResponse) => page(response, 403),
    (response: ServerResponse) => page(response, 200),
  ]) {
    const { heard, vintedbot } = await scripted(t, answer);
    await failure(vintedbot.auth.getMe({}));
    assert.equal(heard.length, 1);
  }
});

test("write has the same new key in each attempt", async (t) => {
  const { heard, vintedbot } = await scripted(t, (response, n) =>
    n % 2 === 1 ? response.destroy() : reply(response, CreateListingResponseSchema),
  );
  const message = create(CreateListingRequestSchema, { accountId: "a", listing: { title: "Sweat" } });
  await vintedbot.listings.createListing(message);
  await vintedbot.listings.createListing(message);
  const requests = heard.map((one) => requestOf(CreateListingRequestSchema, one));
  const keys = requests.map(({ requestId }) => requestId);
  assert.equal(keys.length, 4);
  assert.match(keys[0] ?? "", uuidPattern);
  assert.equal(keys[1], keys[0]);
  assert.equal(keys[3], keys[2]);
  assert.notEqual(keys[2], keys[0]);
  assert.ok(requests.every(({ accountId, listing }) => accountId === "a" && listing?.title === "Sweat"));
  assert.equal(message.requestId, "", "the caller's message stays as it was");
});

test("caller's own key is kept in each attempt", async (t) => {
  const { heard, vintedbot } = await scripted(t, (response, n) =>
    n === 1 ? response.destroy() : reply(response, CreateListingResponseSchema),
  );
  await vintedbot.listings.createListing({ accountId: "a", requestId: "mine" });
  assert.deepEqual(
    heard.map((one) => requestOf(CreateListingRequestSchema, one).requestId),
    ["mine", "mine"],
  );
});

test("sign-in without a key is never repeated", async (t) => {
  for (const answer of [
    (response: ServerResponse) => response.destroy(),
    (response: ServerResponse) => refuse(response, unavailable),
    (response: ServerResponse) => refuse(response, refusal(Code.ResourceExhausted, "RATE_LIMITED", 10)),
  ]) {
    const { heard, vintedbot } = await scripted(t, (response, n) =>
      n === 1 ? answer(response) : reply(response, SignInResponseSchema),
    );
    const { code } = await failure(vintedbot.auth.signIn({ email: "anna@example.com", password: "secret" }));
    assert.notEqual(code, Code.Unknown);
    assert.equal(heard.length, 1);
  }
});

test("rate limit waits as long as the server says", async (t) => {
  const times: number[] = [];
  const { vintedbot } = await scripted(t, (response, n) => {
    times.push(Date.now());
    if (n === 1) refuse(response, refusal(Code.ResourceExhausted, "RATE_LIMITED", 700));
    else reply(response, GetMeResponseSchema);
  });
  await vintedbot.auth.getMe({});
  assert.equal(times.length, 2);
  const waited = (times[1] ?? 0) - (times[0] ?? 0);
  assert.ok(waited >= 695, `it waited ${waited} ms`);
});

test("long rate limit is left to the caller", async (t) => {
  const { heard, vintedbot } = await scripted(t, (response) =>
    refuse(response, refusal(Code.ResourceExhausted, "RATE_LIMITED", 5_001)),
  );
  assert.equal((await failure(vintedbot.auth.getMe({}))).retryAfterMs, 5_001);
  assert.equal(heard.length, 1);
});

test("full storage without a wait is not repeated", async (t) => {
  const { heard, vintedbot } = await scripted(t, (response) =>
    refuse(response, refusal(Code.ResourceExhausted, "STORAGE_FULL")),
  );
  await failure(vintedbot.listings.createListing({}));
  assert.equal(heard.length, 1);
});

test("abort during the wait ends the call", async (t) => {
  const abort = new AbortController();
  const { heard, vintedbot } = await scripted(t, (response) => {
    refuse(response, refusal(Code.ResourceExhausted, "RATE_LIMITED", 4_000));
    setTimeout(() => abort.abort(), 50);
  });
  const began = Date.now();
  const { code } = await failure(vintedbot.auth.getMe({}, { signal: abort.signal }));
  assert.equal(code, Code.Canceled);
  assert.ok(Date.now() - began < 2_000);
  assert.equal(heard.length, 1);
});

test("deadline during the wait ends the call", async (t) => {
  const refused = refusal(Code.ResourceExhausted, "RATE_LIMITED", 4_000);
  const { heard, vintedbot } = await scripted(t, (response) => refuse(response, refused), { timeoutMs: 200 });
  const { code, requestId } = await failure(vintedbot.auth.getMe({}));
  assert.equal(code, Code.DeadlineExceeded);
  assert.equal(requestId, heard[0]?.headers["x-request-id"]);
  assert.equal(heard.length, 1);
});

test("without retries each call is sent once", async (t) => {
  const { heard, vintedbot } = await scripted(t, (response) => response.destroy(), { retry: false });
  await failure(vintedbot.auth.getMe({}));
  await failure(vintedbot.listings.deleteListing({ id: "l" }));
  assert.deepEqual(
    heard.map(({ path }) => path.split("/").at(-1)),
    ["GetMe", "DeleteListing"],
  );
  assert.equal(requestOf(DeleteListingRequestSchema, heard[1]!).requestId, "", "no key without retries");
});

test("error has the id that was on the wire", async (t) => {
  for (const answer of [
    (response: ServerResponse) => refuse(response, refusal(Code.NotFound, "NOT_FOUND")),
    (response: ServerResponse) => page(response, 404),
    (response: ServerResponse) => page(response, 502),
    (response: ServerResponse) => response.destroy(),
    (response: ServerResponse) => {
      begin(response, GetMeResponseSchema);
      setTimeout(() => response.destroy(), 20);
    },
  ]) {
    const { heard, vintedbot } = await scripted(t, answer, { retry: false });
    const { requestId } = await failure(vintedbot.auth.getMe({}));
    assert.match(requestId, uuidPattern);
    assert.equal(requestId, heard[0]?.headers["x-request-id"]);
  }
});

test("id is the same in each attempt and new in each call", async (t) => {
  const { heard, vintedbot } = await scripted(t, (response, n) =>
    n % 2 === 1 ? response.destroy() : reply(response, GetMeResponseSchema),
  );
  await vintedbot.auth.getMe({});
  await vintedbot.auth.getMe({});
  const ids = heard.map(({ headers }) => headers["x-request-id"]);
  assert.equal(ids[1], ids[0]);
  assert.equal(ids[3], ids[2]);
  assert.notEqual(ids[2], ids[0]);
});

test("caller's own id is sent and reported", async (t) => {
  const { heard, vintedbot } = await scripted(t, (response) => page(response, 404));
  const { requestId } = await failure(vintedbot.auth.getMe({}, { headers: { "x-request-id": "mine-1" } }));
  assert.equal(requestId, "mine-1");
  assert.equal(heard[0]?.headers["x-request-id"], "mine-1");
});

test("id of the server's answer takes precedence", async (t) => {
  const { vintedbot } = await scripted(t, (response) => {
    const error = refusal(Code.NotFound, "NOT_FOUND");
    error.metadata.set("x-request-id", "replaced");
    refuse(response, error);
  });
  assert.equal((await failure(vintedbot.auth.getMe({}))).requestId, "replaced");
});

test("interrupted stream has the id of its call", async (t) => {
  const { heard, vintedbot } = await scripted(t, (response) => {
    begin(response, WatchResponseSchema, { cursor: "1" });
    setTimeout(() => response.destroy(), 20);
  });
  const states: CallError[] = [];
  const end = new AbortController();
  for await (const _ of watch(vintedbot.events, {
    signal: end.signal,
    onState: (state) => {
      if (state.status !== "waiting") return;
      states.push(state.error);
      end.abort();
    },
  }));
  assert.match(states[0]?.message ?? "", /broke before the answer was complete/);
  assert.equal(states[0]?.code, Code.Unavailable);
  assert.match(states[0]?.requestId ?? "", uuidPattern);
  assert.equal(states[0]?.requestId, heard[0]?.headers["x-request-id"]);
});
