import assert from "node:assert/strict";
import { after, before, test, type TestContext } from "node:test";

import { Code, ConnectError, createRouterTransport } from "@connectrpc/connect";

import {
  callError,
  createServices,
  EventService,
  watchShared,
  type SharedWatchOptions,
  type WatchResponse,
  type WatchState,
} from "../src/index.js";
import { ErrorInfoSchema } from "../src/gen/google/rpc/error_details_pb.js";

/** Web Locks for the tabs of one test: exclusive, in the order of the requests. */
class Locks {
  readonly #tails = new Map<string, Promise<unknown>>();

  async request<T>(name: string, options: { signal: AbortSignal }, run: () => Promise<T>): Promise<T> {
    const held = this.#tails.get(name) ?? Promise.resolve();
    const aborted = new Promise<never>((_, reject) => {
      const refuse = (): void => reject(options.signal.reason as Error);
      if (options.signal.aborted) refuse();
      options.signal.addEventListener("abort", refuse);
    });
    const granted = Promise.race([held, aborted]);
    const done = granted.then(run);
    this.#tails.set(name, Promise.all([held, done.catch(() => undefined)]));
    return done;
  }
}

before(() => {
  Object.defineProperty(globalThis, "document", { value: { hidden: false }, configurable: true });
  Object.defineProperty(globalThis, "navigator", { value: { locks: new Locks() }, configurable: true });
});

after(() => {
  for (const name of ["document", "navigator"]) Reflect.deleteProperty(globalThis, name);
});

/** A server with an event log, whose cursors are sequences. `connections` limits the streams that are answered at once. */
class Server {
  length = 0;
  open = 0;
  /** The requested cursors, in the order of the answers. */
  readonly cursors: string[] = [];
  #changed: (() => void)[] = [];

  constructor(private readonly connections = Infinity) {}

  append(count = 1): void {
    this.length += count;
    this.change();
  }

  /** Ends all streams with an error. */
  failure: ConnectError | undefined;

  change(): void {
    for (const wake of this.#changed.splice(0)) wake();
  }

  /** `delayMs` is the time before a call is sent. */
  services(delayMs = 0) {
    return createServices(
      createRouterTransport(
        ({ service }) => {
          service(EventService, { watch: (request, { signal }) => this.watch(request, signal) });
        },
        {
          transport: {
            interceptors: [
              (next) => async (request) => {
                await sleep(delayMs);
                return next(request);
              },
            ],
          },
        },
      ),
    );
  }

  private async *watch({ cursor, snapshot }: { cursor: string; snapshot: boolean }, signal: AbortSignal) {
    // A generator without a reader does not end, so the end of the call counts.
    let isOpen = false;
    const close = (): void => {
      if (isOpen) this.open--;
      isOpen = false;
      this.change();
    };
    signal.addEventListener("abort", close);
    while (this.open >= this.connections && !signal.aborted) await this.wait();
    if (signal.aborted) return;
    isOpen = true;
    this.open++;
    this.cursors.push(cursor);
    try {
      let position = cursor === "" ? this.length : Number(cursor);
      const checkpoint = () => ({
        cursor: String(position),
        message: { case: "checkpoint" as const, value: { sequence: BigInt(position) } },
      });
      if (snapshot && cursor === "") {
        yield { message: { case: "snapshot" as const, value: { resourceId: "r" } } };
        const value = { sequence: BigInt(position) };
        yield { cursor: String(position), message: { case: "snapshotEnd" as const, value } };
      } else yield checkpoint();
      while (!signal.aborted) {
        if (this.failure !== undefined) throw this.failure;
        if (position === this.length) {
          await this.wait();
          continue;
        }
        position++;
        const value = { sequence: BigInt(position) };
        yield { cursor: String(position), message: { case: "event" as const, value } };
      }
    } finally {
      close();
    }
  }

  private wait(): Promise<void> {
    return new Promise((resolve) => this.#changed.push(resolve));
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function until(condition: () => boolean, what: string, ms = 15_000): Promise<void> {
  for (const end = Date.now() + ms; !condition(); await sleep(5)) assert.ok(Date.now() < end, what);
}

/** A tab that watches. */
interface Tab {
  events: number[];
  cursors: string[];
  kinds: (string | undefined)[];
  states: WatchState["status"][];
  failure: unknown;
  close: () => void;
}

let lastId = 0;

/** Opens tabs of one session. `read` runs for each message, before the next one is requested. */
function opener(t: TestContext, server: Server, common: Partial<SharedWatchOptions> = {}) {
  const sharedId = `session ${++lastId}`;
  return (
    options: Partial<SharedWatchOptions> = {},
    { read, delayMs = 0 }: { read?: (message: WatchResponse) => Promise<void> | void; delayMs?: number } = {},
  ): Tab => {
    const end = new AbortController();
    const tab: Tab = {
      events: [],
      cursors: [],
      kinds: [],
      states: [],
      failure: undefined,
      close: () => end.abort(),
    };
    t.after(tab.close);
    const run = async (): Promise<void> => {
      const messages = watchShared(server.services(delayMs).events, {
        sharedId,
        signal: end.signal,
        onState: ({ status }) => tab.states.push(status),
        ...common,
        ...options,
      });
      for await (const message of messages) {
        if (message.cursor !== "") tab.cursors.push(message.cursor);
        tab.kinds.push(message.message.case);
        if (message.message.case === "event") tab.events.push(Number(message.message.value.sequence));
        await read?.(message);
      }
    };
    run().catch((thrown: unknown) => (tab.failure = callError(thrown)));
    return tab;
  };
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, at) => from + at);
}

test("eight tabs share one stream", async (t) => {
  const server = new Server();
  const open = opener(t, server);
  const tabs = [open()];
  await until(() => tabs[0]!.cursors.length > 0, "the first tab is live");
  for (let number = 2; number <= 8; number++) tabs.push(open());
  await until(() => tabs.every(({ cursors }) => cursors.length > 0), "all tabs are live");
  assert.equal(server.open, 1);
  server.append(50);
  await until(() => tabs.every(({ events }) => events.length >= 50), "all events arrive");
  await sleep(30);
  for (const { events } of tabs) assert.deepEqual(events, range(1, 50));
  assert.deepEqual(server.cursors, [""]);
  for (const { states } of tabs) assert.equal(states.at(-1), "live");
});

test("next tab continues where the closed one ended", async (t) => {
  const server = new Server();
  const open = opener(t, server);
  const first = open();
  await until(() => first.cursors.length > 0, "live");
  const [second, third] = [open(), open()];
  await until(() => second.cursors.length > 0 && third.cursors.length > 0, "all live");
  server.append(3);
  await until(() => third.events.length === 3 && second.events.length === 3, "first events");
  first.close();
  server.append(4);
  await until(() => second.events.length === 7 && third.events.length === 7, "later events");
  second.close();
  server.append(2);
  await until(() => third.events.length === 9, "last events");
  assert.deepEqual(second.events, range(1, 7));
  assert.deepEqual(third.events, range(1, 9));
  assert.equal(server.open, 1);
});

test("tab with an old cursor catches up and joins", async (t) => {
  const server = new Server();
  server.append(10);
  const open = opener(t, server);
  const first = open();
  await until(() => first.cursors.length > 0, "live");
  const second = open({ cursor: "4" });
  await until(() => second.events.length === 6, "the gap is read");
  server.append();
  await until(() => second.events.length === 7 && server.open === 1, "it has joined");
  server.append(5);
  await until(() => second.events.length === 12, "all events");
  assert.deepEqual(second.events, range(5, 16));
  assert.deepEqual(first.events, range(11, 16));
});

test("each tab reads its own snapshot once", async (t) => {
  const server = new Server();
  server.append(3);
  const open = opener(t, server, { snapshot: true });
  const tabs = [open(), open(), open()];
  await until(() => tabs.every(({ kinds }) => kinds.includes("snapshotEnd")), "all snapshots");
  server.append(2);
  await until(() => tabs.every(({ events }) => events.length === 2), "events");
  await until(() => server.open === 1, "one stream");
  for (const { kinds, events } of tabs) {
    assert.deepEqual(kinds.slice(0, 2), ["snapshot", "snapshotEnd"]);
    assert.equal(kinds.filter((kind) => kind === "snapshot").length, 1);
    assert.deepEqual(events, [4, 5]);
  }
});

test("tab that does not read delays no other tab", async (t) => {
  const server = new Server();
  const silenceMs = 4_000;
  const open = opener(t, server, { silenceMs });
  let proceed: () => void = () => undefined;
  const first = open(
    {},
    {
      read: ({ message }) =>
        message.case === "event" ? new Promise((resolve) => (proceed = resolve)) : undefined,
    },
  );
  await until(() => first.cursors.length > 0, "live");
  const second = open();
  await until(() => second.cursors.length > 0, "both live");
  for (let count = 1; count <= 5; count++) {
    server.append();
    await until(() => second.events.length === count, `event ${count} is not delayed`, silenceMs / 2);
    await sleep(20);
  }
  assert.deepEqual(first.events, [1], "it waits for its reader");
  first.close();
  proceed();
  server.append();
  await until(() => second.events.length === 6, "the second tab leads");
  assert.deepEqual(second.events, range(1, 6));
});

test("cursors never go back", async (t) => {
  const server = new Server();
  const open = opener(t, server, { silenceMs: 150 });
  let isBlocked = false;
  let proceed: () => void = () => undefined;
  const first = open(
    {},
    { read: () => (isBlocked ? new Promise((resolve) => (proceed = resolve)) : undefined) },
  );
  await until(() => first.cursors.length > 0, "live");
  const second = open();
  await until(() => second.cursors.length > 0, "both live");
  isBlocked = true;
  server.append();
  await until(() => second.events.length === 1, "the first event");
  for (let count = 2; count <= 6; count++) {
    await sleep(100);
    server.append();
  }
  await until(() => second.events.length === 6, "all events");
  isBlocked = false;
  proceed();
  const cursors = second.cursors.map(Number);
  assert.deepEqual(
    cursors,
    [...cursors].sort((a, b) => a - b),
  );
});

test("late tab with the lock does not block the others", async (t) => {
  // As a browser with HTTP/1.1: six streams at once, and the tab with the lock sends its call last.
  const server = new Server(6);
  const open = opener(t, server, { snapshot: true });
  const tabs = [open({}, { delayMs: 300 }), ...range(2, 8).map(() => open())];
  await until(() => tabs.every(({ kinds }) => kinds.includes("snapshotEnd")), "all snapshots");
  server.append(3);
  await until(() => tabs.every(({ events }) => events.length === 3), "events");
  await until(() => server.open === 1, "one stream");
  for (const { events } of tabs) assert.deepEqual(events, range(1, 3));
});

test("slow tab loses nothing", async (t) => {
  const server = new Server();
  const open = opener(t, server);
  const first = open();
  await until(() => first.cursors.length > 0, "live");
  let proceed: () => void = () => undefined;
  const wait = new Promise<void>((resolve) => (proceed = resolve));
  const slow = open({}, { read: ({ message }) => (message.case === "event" ? wait : undefined) });
  await until(() => slow.cursors.length > 0, "both live");
  server.append(2_500);
  await until(() => first.events.length === 2_500, "the fast tab has all");
  await sleep(50);
  proceed();
  server.append();
  await until(() => slow.events.length === 2_501, "the slow tab has all");
  assert.deepEqual(slow.events, range(1, 2_501));
});

test("tab with a silent channel opens its own stream", async (t) => {
  const server = new Server();
  const open = opener(t, server, { silenceMs: 200 });
  const first = open();
  await until(() => first.cursors.length > 0, "live");
  const second = open();
  await until(() => second.cursors.length > 0, "both live");
  // As if the browser had suspended the first tab.
  t.mock.method(BroadcastChannel.prototype, "postMessage", () => undefined);
  server.append(2);
  await until(() => second.events.length === 2, "the second tab has its own stream");
  t.mock.restoreAll();
  server.append(2);
  await until(() => server.open === 1, "it has joined again");
  server.append(2);
  await until(() => second.events.length === 6 && first.events.length === 6, "events");
  assert.deepEqual(second.events, range(1, 6));
  assert.deepEqual(first.events, range(1, 6));
});

test("end of the session ends all tabs", async (t) => {
  const server = new Server();
  const open = opener(t, server);
  const tabs = [open()];
  await until(() => tabs[0]!.cursors.length > 0, "live");
  tabs.push(open(), open());
  await until(() => tabs.every(({ cursors }) => cursors.length > 0), "all live");
  server.failure = new ConnectError("no", Code.Unauthenticated, undefined, [
    { desc: ErrorInfoSchema, value: { reason: "ERROR_REASON_TOKEN_INVALID" } },
  ]);
  server.change();
  await until(() => tabs.every(({ failure }) => failure !== undefined), "all fail");
  for (const { failure } of tabs) {
    assert.equal((failure as { reasonName: string }).reasonName, "ERROR_REASON_TOKEN_INVALID");
  }
});

test("lost connection is shown in all tabs", async (t) => {
  const server = new Server();
  const open = opener(t, server);
  const tabs = [open()];
  await until(() => tabs[0]!.cursors.length > 0, "live");
  tabs.push(open());
  await until(() => tabs.every(({ cursors }) => cursors.length > 0), "all live");
  server.failure = new ConnectError("lost", Code.Unavailable);
  server.change();
  await until(() => tabs.every(({ states }) => states.includes("waiting")), "all wait");
  server.failure = undefined;
  await until(() => tabs.every(({ states }) => states.at(-1) === "live"), "all are live again");
  server.append();
  await until(() => tabs.every(({ events }) => events.length === 1), "events");
});

test("tabs of other people and with other filters share nothing", async (t) => {
  const server = new Server();
  const [anna, dan] = [opener(t, server), opener(t, server)];
  const tabs = [anna(), dan(), anna({ accountIds: ["a"] })];
  await until(() => tabs.every(({ cursors }) => cursors.length > 0), "all live");
  await sleep(350);
  assert.equal(server.open, 3);
  server.append();
  await until(() => tabs.every(({ events }) => events.length === 1), "events");
});

test("aborting ends all loops and streams", async (t) => {
  const server = new Server();
  const open = opener(t, server);
  const tabs = [open(), open(), open()];
  await until(() => tabs.every(({ cursors }) => cursors.length > 0), "all live");
  for (const tab of tabs) tab.close();
  await until(() => server.open === 0, "no stream is left");
  assert.ok(tabs.every(({ failure }) => failure === undefined));
});
