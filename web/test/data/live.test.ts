import {
  Code,
  ConnectError,
  create,
  WatchResponseSchema,
  type WatchOptions,
  type WatchResponse,
} from "@vintedbot/sdk";
import { afterEach, expect, test, vi } from "vitest";

import { Live } from "../../src/data/live";

/** A stream that the test feeds. */
class Stream {
  readonly calls: WatchOptions[] = [];
  #push: ((message: WatchResponse | Error) => void) | undefined;

  watch = (options: WatchOptions): AsyncIterable<WatchResponse> => {
    this.calls.push(options);
    const waiting: (WatchResponse | Error)[] = [];
    let wake = (): void => undefined;
    this.#push = (message) => {
      waiting.push(message);
      wake();
    };
    const ended = (): boolean => options.signal?.aborted ?? false;
    options.signal?.addEventListener("abort", () => wake());
    return {
      async *[Symbol.asyncIterator]() {
        while (!ended()) {
          const next = waiting.shift();
          if (next instanceof Error) throw next;
          if (next !== undefined) yield next;
          else await new Promise<void>((resolve) => (wake = resolve));
        }
      },
    };
  };

  send(message: WatchResponse | Error): void {
    this.#push?.(message);
  }
}

const checkpoint = (cursor: string): WatchResponse =>
  create(WatchResponseSchema, { cursor, message: { case: "checkpoint", value: { sequence: 1n } } });
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

afterEach(() => {
  vi.restoreAllMocks();
});

function setUp(apply: () => void = () => undefined) {
  const stream = new Stream();
  const seen = { gaps: 0, now: 1_000 };
  const live = new Live({
    watch: stream.watch,
    apply: () => apply(),
    now: () => seen.now,
  });
  live.onGap(() => seen.gaps++);
  let isOpen = false;
  void live.opened().then(() => (isOpen = true));
  return { stream, live, seen, isOpen: () => isOpen };
}

test("lists wait for the first message of the stream", async () => {
  const { stream, live, isOpen } = setUp();
  live.start();
  await settle();
  expect(isOpen()).toBe(false);
  stream.send(checkpoint("c1"));
  await settle();
  expect(isOpen()).toBe(true);
  expect(live.state()).toEqual({ status: "live", currentAt: 1_000 });
});

test("lists do not wait for a stream that fails and are read again", async () => {
  const { stream, live, seen, isOpen } = setUp();
  live.start();
  await settle();
  stream.calls[0]?.onState?.({ status: "waiting", error: {} as never, retryInMs: 10 });
  await settle();
  expect(isOpen()).toBe(true);
  expect(live.state()).toMatchObject({ status: "lost", lostAt: 1_000 });
  expect(seen.gaps).toBe(0);
  stream.send(checkpoint("c1"));
  await settle();
  expect(seen.gaps).toBe(1);
});

test("cut between two messages is no gap and keeps the age", async () => {
  const { stream, live, seen } = setUp();
  live.start();
  await settle();
  stream.send(checkpoint("c1"));
  await settle();
  seen.now = 5_000;
  stream.calls[0]?.onState?.({ status: "waiting", error: {} as never, retryInMs: 10 });
  expect(live.state()).toEqual({ status: "lost", currentAt: 1_000, lostAt: 5_000 });
  stream.send(checkpoint("c2"));
  await settle();
  expect(live.state()).toEqual({ status: "live", currentAt: 5_000 });
  expect(seen.gaps).toBe(0);
});

test("sleeping computer continues from the last cursor", async () => {
  const { stream, live, seen } = setUp();
  live.start();
  await settle();
  stream.send(checkpoint("c1"));
  await settle();
  live.wake();
  expect(stream.calls).toHaveLength(1);
  seen.now += 7_200_000;
  live.wake();
  await settle();
  expect(stream.calls).toHaveLength(2);
  expect(stream.calls[1]?.cursor).toBe("c1");
});

test("event that cannot be applied is logged and the stream continues", async () => {
  const logged = vi.spyOn(console, "error").mockImplementation(() => undefined);
  const { stream, live } = setUp(() => {
    throw new Error("damaged");
  });
  let delivered = 0;
  live.onEvent(() => delivered++);
  live.start();
  await settle();
  stream.send(create(WatchResponseSchema, { cursor: "c1", message: { case: "event", value: {} } }));
  stream.send(checkpoint("c2"));
  await settle();
  expect(delivered).toBe(1);
  expect(logged).toHaveBeenCalledTimes(1);
  expect(live.state().status).toBe("live");
});

test("listener that throws does not end the stream", async () => {
  const logged = vi.spyOn(console, "error").mockImplementation(() => undefined);
  const { stream, live, seen } = setUp();
  const stop = live.subscribe(() => {
    throw new Error("broken page");
  });
  live.onEvent(() => {
    throw new Error("broken page");
  });
  live.start();
  await settle();
  stream.send(create(WatchResponseSchema, { cursor: "c1", message: { case: "event", value: {} } }));
  await settle();
  expect(logged).toHaveBeenCalledTimes(2);
  stop();
  seen.now = 9_000;
  stream.send(checkpoint("c2"));
  await settle();
  expect(live.state()).toEqual({ status: "live", currentAt: 9_000 });
});

test("permanent error ends the stream", async () => {
  const { stream, live } = setUp();
  live.start();
  await settle();
  stream.send(new ConnectError("no", Code.PermissionDenied));
  await settle();
  expect(live.state().status).toBe("ended");
});
