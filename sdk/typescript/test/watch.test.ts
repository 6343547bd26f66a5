import assert from "node:assert/strict";
import { test } from "node:test";

import { Code, ConnectError, createRouterTransport } from "@connectrpc/connect";

import { createVintedbotOn, EventService, watch, type WatchRequest, type Vintedbot } from "../src/index.js";
import { ErrorInfoSchema } from "../src/gen/google/rpc/error_details_pb.js";

/** A server whose log has `length` events. It drops the connection after each `perCall` events. */
function scripted(length: number, perCall: number): { vintedbot: Vintedbot; requests: WatchRequest[] } {
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
  return { vintedbot: createVintedbotOn(transport), requests };
}

test("every event arrives once across lost connections", async () => {
  const { vintedbot, requests } = scripted(7, 2);
  const seen: bigint[] = [];
  let cuts = 0;
  for await (const { message } of watch(vintedbot.events, { onCut: () => cuts++ })) {
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
  for await (const { message } of watch(createVintedbotOn(transport).events, { snapshot: true })) {
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
    for await (const _ of watch(createVintedbotOn(transport).events, { cursor: "1" }));
  }, /gone/);
  assert.equal(calls, 1);
});

test("aborting ends the watch without an error", async () => {
  const { vintedbot } = scripted(1, 1);
  const abort = new AbortController();
  let seen = 0;
  for await (const _ of watch(vintedbot.events, { signal: abort.signal, onCut: () => abort.abort() })) seen++;
  assert.equal(seen, 1);
});
