import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { test } from "node:test";

import { Code, ConnectError, createRouterTransport } from "@connectrpc/connect";

import {
  callError,
  createServices,
  createVintedbot,
  EventService,
  watch,
  WatchRequestSchema,
  WatchResponseSchema,
  type CallError,
  type Services,
  type WatchRequest,
  type WatchState,
} from "../src/index.js";
import { ErrorInfoSchema, RetryInfoSchema } from "../src/gen/google/rpc/error_details_pb.js";
import { begin, page, requestOf, serve } from "./scripted-server.js";

/** A server whose log has `length` events. It drops the connection after each `perCall` events. */
function scripted(length: number, perCall: number): { vintedbot: Services; requests: WatchRequest[] } {
  const requests: WatchRequest[] = [];
  const transport = createRouterTransport(({ service }) => {
    service(EventService, {
      async *watch(request) {
        requests.push(request);
        const from = request.cursor === "" ? 0 : Number(request.cursor);
        for (let sequence = from + 1; sequence <= Math.min(from + perCall, length); sequence++) {
          yield {
            cursor: String(sequence),
            message: { case: "event" as const, value: { sequence: BigInt(sequence) } },
          };
        }
        throw new ConnectError("connection lost", Code.Unknown);
      },
    });
  });
  return { vintedbot: createServices(transport), requests };
}

test("every event arrives once across lost connections", async () => {
  const { vintedbot, requests } = scripted(7, 2);
  const seen: bigint[] = [];
  let cuts = 0;
  for await (const { message } of watch(vintedbot.events, {
    onState: ({ status }) => (cuts += Number(status === "waiting")),
  })) {
    if (message.case === "event") seen.push(message.value.sequence);
    if (seen.length === 7) break;
  }
  assert.deepEqual(seen, [1n, 2n, 3n, 4n, 5n, 6n, 7n]);
  assert.equal(cuts, 3);
  assert.deepEqual(
    requests.map((request) => request.cursor),
    ["", "2", "4", "6"],
  );
});

test("interrupted snapshot is requested again", async () => {
  const requests: WatchRequest[] = [];
  const transport = createRouterTransport(({ service }) => {
    service(EventService, {
      async *watch(request) {
        requests.push(request);
        yield { message: { case: "snapshot" as const, value: { resourceId: "a" } } };
        if (requests.length === 1) throw new ConnectError("connection lost", Code.Unknown);
        yield { cursor: "5", message: { case: "snapshotEnd" as const, value: { sequence: 5n } } };
      },
    });
  });
  const kinds: (string | undefined)[] = [];
  for await (const { message } of watch(createServices(transport).events, { snapshot: true })) {
    kinds.push(message.case);
    if (message.case === "snapshotEnd") break;
  }
  assert.deepEqual(kinds, ["snapshot", "snapshot", "snapshotEnd"]);
  assert.deepEqual(
    requests.map((request) => [request.snapshot, request.cursor]),
    [
      [true, ""],
      [true, ""],
    ],
  );
});

test("expired cursor is thrown and not retried", async () => {
  let calls = 0;
  const transport = createRouterTransport(({ service }) => {
    service(EventService, {
      async *watch() {
        calls++;
        throw new ConnectError("gone", Code.OutOfRange, undefined, [
          { desc: ErrorInfoSchema, value: { reason: "ERROR_REASON_CURSOR_EXPIRED" } },
        ]);
      },
    });
  });
  await assert.rejects(async () => {
    for await (const _ of watch(createServices(transport).events, { cursor: "1" }));
  }, /gone/);
  assert.equal(calls, 1);
});

test("aborting ends the watch without an error", async () => {
  const { vintedbot } = scripted(1, 1);
  const abort = new AbortController();
  let seen = 0;
  for await (const _ of watch(vintedbot.events, {
    signal: abort.signal,
    onState: ({ status }) => status === "waiting" && abort.abort(),
  }))
    seen++;
  assert.equal(seen, 1);
});

function event(sequence: number) {
  return {
    cursor: String(sequence),
    message: { case: "event" as const, value: { sequence: BigInt(sequence) } },
  };
}

function refusal(code: Code, reason: string, retryAfterSeconds = 0n): ConnectError {
  const retryDelay = { seconds: retryAfterSeconds, nanos: 0 };
  return new ConnectError("no", code, undefined, [
    { desc: ErrorInfoSchema, value: { reason: `ERROR_REASON_${reason}`, domain: "vintedbot" } },
    ...(retryAfterSeconds === 0n ? [] : [{ desc: RetryInfoSchema, value: { retryDelay } }]),
  ]);
}

/** A server in memory. `answer` gets the number of the call, from 1, and its stream ends with the call. */
function streaming(answer: (n: number) => AsyncIterable<ReturnType<typeof event>>) {
  const requests: WatchRequest[] = [];
  const ids: (string | null)[] = [];
  const transport = createRouterTransport(({ service }) => {
    service(EventService, {
      async *watch(request, { requestHeader }) {
        requests.push(request);
        ids.push(requestHeader.get("x-request-id"));
        yield* answer(requests.length);
      },
    });
  });
  return { events: createServices(transport).events, requests, ids };
}

function forever(): Promise<never> {
  return new Promise(() => undefined);
}

/** Watches until `count` events came, and returns their sequences and the states. */
async function follow(
  messages: AsyncIterable<{ message: { case?: string | undefined; value?: unknown } }>,
  count: number,
): Promise<bigint[]> {
  const seen: bigint[] = [];
  for await (const { message } of messages) {
    if (message.case === "event") seen.push((message.value as { sequence: bigint }).sequence);
    if (seen.length === count) break;
  }
  return seen;
}

test("silent stream is opened again from its cursor", async () => {
  const { events, requests, ids } = streaming(async function* (n) {
    yield event(2 * n - 1);
    yield event(2 * n);
    await forever();
  });
  const states: WatchState[] = [];
  const began = Date.now();
  const messages = watch(events, { silenceMs: 80, onState: (state) => states.push(state) });
  assert.deepEqual(await follow(messages, 4), [1n, 2n, 3n, 4n]);
  assert.ok(Date.now() - began >= 80);
  assert.deepEqual(
    requests.map(({ cursor }) => cursor),
    ["", "2"],
  );
  const lost = states.flatMap((state) => (state.status === "waiting" ? [state.error] : []));
  assert.equal(lost.length, 1);
  assert.equal(lost[0]?.problem, "silent");
  assert.equal(lost[0]?.code, Code.Unavailable);
  assert.match(lost[0]?.message ?? "", /silent for 80 ms: a proxy may hold the messages back/);
  assert.equal(lost[0]?.requestId, ids[0]);
});

test("stream that never begins is opened again", async () => {
  const { events, requests } = streaming(async function* (n) {
    if (n === 1) await forever();
    yield event(1);
  });
  assert.deepEqual(await follow(watch(events, { cursor: "0", silenceMs: 50 }), 1), [1n]);
  assert.deepEqual(
    requests.map(({ cursor }) => cursor),
    ["0", "0"],
  );
});

test("messages within the limit are no silence", async () => {
  const { events, requests } = streaming(async function* () {
    for (let sequence = 1; ; sequence++) {
      yield event(sequence);
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
  });
  assert.deepEqual(await follow(watch(events, { silenceMs: 250 }), 6), [1n, 2n, 3n, 4n, 5n, 6n]);
  assert.equal(requests.length, 1);
});

test("slow reader is no silence", async () => {
  const { events, requests } = streaming(async function* () {
    for (let sequence = 1; ; sequence++) yield event(sequence);
  });
  let seen = 0;
  for await (const _ of watch(events, { silenceMs: 50 })) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    if (++seen === 3) break;
  }
  assert.equal(requests.length, 1);
});

const foreign: Record<string, (response: ServerResponse) => void> = {
  "401": (response) => page(response, 401),
  "403": (response) => page(response, 403),
  "404": (response) => page(response, 404),
  "502": (response) => page(response, 502),
  "200 in HTML": (response) => page(response, 200),
};
for (const [name, answer] of Object.entries(foreign)) {
  test(`proxy's ${name} does not end a watch`, async (t) => {
    const server = await serve((response, _, n) => {
      if (n === 2) return answer(response);
      begin(response, WatchResponseSchema, event(n));
      if (n === 1) setTimeout(() => response.destroy(), 20);
    });
    t.after(() => server.close());
    const { events } = createVintedbot({ baseUrl: server.url, auth: { token: "vb_test" } });
    assert.deepEqual(await follow(watch(events), 2), [1n, 3n]);
    assert.deepEqual(
      server.heard.map((heard) => requestOf(WatchRequestSchema, heard).cursor),
      ["", "1", "1"],
    );
  });
}

for (const [code, reason] of [
  [Code.Unauthenticated, "TOKEN_INVALID"],
  [Code.PermissionDenied, "INSUFFICIENT_SCOPE"],
  [Code.InvalidArgument, "CURSOR_INVALID"],
  [Code.OutOfRange, "CURSOR_EXPIRED"],
] as const) {
  test(`${reason} ends a watch`, async () => {
    const { events, requests } = streaming(async function* () {
      yield event(1);
      throw refusal(code, reason);
    });
    const states: string[] = [];
    const thrown = await follow(watch(events, { onState: ({ status }) => states.push(status) }), 9).then(
      () => assert.fail("it must throw"),
      (error: unknown) => callError(error),
    );
    assert.equal(thrown.reasonName, `ERROR_REASON_${reason}`);
    assert.equal(requests.length, 1);
    assert.deepEqual(states, ["connecting", "live"]);
  });
}

for (const [code, reason] of [
  [Code.Unavailable, "UNAVAILABLE"],
  [Code.Internal, "INTERNAL"],
  [Code.ResourceExhausted, "RATE_LIMITED"],
  [Code.DeadlineExceeded, "DEADLINE_EXCEEDED"],
] as const) {
  test(`${reason} does not end a watch`, async () => {
    const { events } = streaming(async function* (n) {
      yield event(n);
      throw refusal(code, reason);
    });
    assert.deepEqual(await follow(watch(events), 2), [1n, 2n]);
  });
}

test("watch waits as long as the server says", async () => {
  const { events } = streaming(async function* (n) {
    if (n === 1) throw refusal(Code.ResourceExhausted, "RATE_LIMITED", 1n);
    yield event(n);
  });
  const began = Date.now();
  let retryInMs = 0;
  const onState = (state: WatchState): void => {
    if (state.status === "waiting") retryInMs = state.retryInMs;
  };
  await follow(watch(events, { onState }), 1);
  assert.equal(retryInMs, 1_000);
  assert.ok(Date.now() - began >= 995);
});

test("states come in order and only when they change", async () => {
  const { events } = streaming(async function* (n) {
    yield event(2 * n - 1);
    yield event(2 * n);
    throw new ConnectError("lost", Code.Unknown);
  });
  const states: WatchState[] = [];
  await follow(watch(events, { onState: (state) => states.push(state) }), 4);
  assert.deepEqual(
    states.map(({ status }) => status),
    ["connecting", "live", "waiting", "connecting", "live"],
  );
});

test("waits grow until a message comes", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { events } = streaming(async function* (n) {
    if (n === 9) yield event(1);
    throw new ConnectError("lost", Code.Unknown);
  });
  const waits: number[] = [];
  const end = new AbortController();
  for await (const _ of watch(events, {
    signal: end.signal,
    onState: (state) => {
      if (state.status !== "waiting") return;
      if (waits.push(state.retryInMs) === 9) end.abort();
      else setImmediate(() => t.mock.timers.tick(10_000));
    },
  }));
  const longest = [250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 250];
  waits.forEach((wait, at) => {
    const max = longest[at] ?? 0;
    assert.ok(wait >= max / 2 && wait <= max, `wait ${at + 1} is ${wait} ms`);
  });
  assert.equal(waits.length, longest.length);
});

test("going online ends the wait at once", async (t) => {
  const target = new EventTarget();
  const listeners = {
    addEventListener: target.addEventListener.bind(target),
    removeEventListener: target.removeEventListener.bind(target),
  };
  Object.assign(globalThis, listeners);
  t.after(() => {
    for (const name of Object.keys(listeners)) Reflect.deleteProperty(globalThis, name);
  });
  const { events } = streaming(async function* (n) {
    if (n === 1) throw refusal(Code.Unavailable, "UNAVAILABLE", 30n);
    yield event(n);
  });
  const onState = ({ status }: WatchState): void => {
    if (status === "waiting") setTimeout(() => target.dispatchEvent(new Event("online")), 20);
  };
  const began = Date.now();
  await follow(watch(events, { onState }), 1);
  assert.ok(Date.now() - began < 5_000);
});

test("error of the reader is passed through", async () => {
  const { events, requests } = streaming(async function* () {
    yield event(1);
    await forever();
  });
  await assert.rejects(async () => {
    for await (const _ of watch(events)) throw new Error("the reader's");
  }, /the reader's/);
  assert.equal(requests.length, 1);
});

test("leaving the loop ends the call", async () => {
  let ended = false;
  const transport = createRouterTransport(({ service }) => {
    service(EventService, {
      async *watch(_, { signal }) {
        signal.addEventListener("abort", () => (ended = true));
        yield event(1);
        await forever();
      },
    });
  });
  await follow(watch(createServices(transport).events), 1);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.ok(ended);
});

test("default timeout does not end a watch", async (t) => {
  const server = await serve((response) => {
    begin(response, WatchResponseSchema, event(1));
    setTimeout(() => response.destroy(), 300);
  });
  t.after(() => server.close());
  const { events } = createVintedbot({ baseUrl: server.url, auth: { token: "vb_test" }, timeoutMs: 100 });
  const errors: CallError[] = [];
  const end = new AbortController();
  for await (const _ of watch(events, {
    signal: end.signal,
    onState: (state) => {
      if (state.status !== "waiting") return;
      errors.push(state.error);
      end.abort();
    },
  }));
  assert.equal(errors[0]?.code, Code.Unavailable);
  assert.equal(server.heard[0]?.headers["grpc-timeout"], undefined);
});
