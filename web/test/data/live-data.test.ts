import fc from "fast-check";
import { expect, test } from "vitest";

import { Commands, type Execution } from "../../src/data/command";
import { LiveList } from "../../src/data/list";
import { Records } from "../../src/data/records";

/** A resource with what the rules depend on. */
interface Item {
  id: string;
  sequence: bigint;
  time: number;
  archived: boolean;
  unread: boolean;
}

interface LogEntry {
  sequence: bigint;
  id: string;
  value: Item | undefined;
}

const pageSize = 3;
const newestFirst = (a: Item, b: Item): number => b.time - a.time || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
const isOpen = (item: Item): boolean => !item.archived;

/** The server: a store with an event log. */
class Server {
  readonly items = new Map<string, Item>();
  readonly log: LogEntry[] = [];
  #clock = 0;

  write(id: string, change: Partial<Item>): Item {
    const known = this.items.get(id) ?? {
      id,
      sequence: 0n,
      time: ++this.#clock,
      archived: false,
      unread: true,
    };
    const value = { ...known, ...change, sequence: BigInt(this.log.length + 1) };
    this.items.set(id, value);
    this.log.push({ sequence: value.sequence, id, value });
    return value;
  }

  message(id: string): void {
    this.write(id, { time: ++this.#clock, archived: false, unread: true });
  }

  remove(id: string): void {
    if (!this.items.delete(id)) return;
    this.log.push({ sequence: BigInt(this.log.length + 1), id, value: undefined });
  }

  open(): Item[] {
    return [...this.items.values()].filter(isOpen).toSorted(newestFirst);
  }

  page(token: string): { values: Item[]; nextPageToken: string } {
    const rows = this.open();
    const [time, id] = token.split(" ");
    const after =
      token === ""
        ? rows
        : rows.filter((row) => newestFirst(row, { ...row, time: Number(time), id: id ?? "" }) > 0);
    const values = after.slice(0, pageSize);
    const last = values.at(-1);
    return { values, nextPageToken: after.length > pageSize && last ? `${last.time} ${last.id}` : "" };
  }
}

/** A call that the server has not answered, or whose answer has not arrived. */
interface Call {
  answer: (() => void) | undefined;
  handle: () => () => void;
}

class Client {
  readonly server = new Server();
  readonly records = new Records<Item>();
  readonly calls: Call[] = [];
  readonly executions: Execution[] = [];
  readonly refused: unknown[] = [];
  readonly list: LiveList<Item>;
  readonly commands: Commands<Item>;
  position = 0;
  #ids = 0;
  #isRefusing = false;

  constructor() {
    this.list = new LiveList(this.records, {
      matches: isOpen,
      compare: newestFirst,
      load: (token) => this.#call(() => this.server.page(token)),
    });
    this.commands = new Commands(this.records, () => `request ${++this.#ids}`);
  }

  #call<R>(run: () => R): Promise<R> {
    return new Promise((resolve, reject) => {
      this.calls.push({
        answer: undefined,
        handle: () => {
          try {
            const result = run();
            return () => resolve(result);
          } catch (thrown) {
            return () => reject(thrown);
          }
        },
      });
    });
  }

  receive(): void {
    const entry = this.server.log[this.position];
    if (entry === undefined) return;
    this.position++;
    if (entry.value === undefined) this.records.remove(entry.id, entry.sequence);
    else this.records.apply(entry.value);
  }

  command(id: string, change: Partial<Item>, isRefused: boolean): void {
    const send = (): Promise<Item[]> =>
      this.#call(() => {
        if (isRefused || this.#isRefusing || !this.server.items.has(id)) throw new Error("refused");
        return [this.server.write(id, change)];
      });
    const execution = this.commands.execute({
      ids: [id],
      change: (item) => ({ ...item, ...change }),
      send,
      inverse: (before) => {
        const item = before.get(id);
        const back: Partial<Item> = {};
        if (item !== undefined && "archived" in change) back.archived = item.archived;
        if (item !== undefined && "unread" in change) back.unread = item.unread;
        return [
          {
            ids: [id],
            change: (one) => ({ ...one, ...back }),
            send: () => this.#call(() => [this.server.write(id, back)]),
            inverse: () => [],
          },
        ];
      },
    });
    execution.done.catch((thrown: unknown) => this.refused.push(thrown));
    this.executions.push(execution);
  }

  undo(): void {
    const undone = this.executions.pop()?.undo?.();
    undone?.done.catch((thrown: unknown) => this.refused.push(thrown));
  }

  /** Lets the server handle a call, or lets an answer arrive. */
  proceed(at: number): void {
    if (this.calls.length === 0) return;
    const index = at % this.calls.length;
    const call = this.calls[index];
    if (call === undefined) return;
    if (call.answer === undefined) call.answer = call.handle();
    else {
      this.calls.splice(index, 1);
      call.answer();
    }
  }

  visible(): string[] {
    return [...this.records.ids()]
      .map((id) => this.records.get(id))
      .filter((item): item is Item => item !== undefined && isOpen(item))
      .toSorted(newestFirst)
      .map(({ id }) => id);
  }
}

const id = fc.constantFrom("a", "b", "c", "d", "e", "f", "g", "h");
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant("message" as const), id }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("change" as const), id, archived: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("remove" as const), id }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant("receive" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("cut" as const), back: fc.nat(5) }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant("proceed" as const), at: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("reload" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("more" as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("archive" as const), id, isRefused: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("mark" as const), id, unread: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("undo" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("hold" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("release" as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

function play(client: Client, one: Step): void {
  const { server, records } = client;
  switch (one.do) {
    case "message":
      server.message(one.id);
      break;
    case "change":
      if (server.items.has(one.id)) server.write(one.id, { archived: one.archived });
      break;
    case "remove":
      server.remove(one.id);
      break;
    case "receive":
      client.receive();
      break;
    case "cut":
      // Events of the last moments arrive once more.
      client.position = Math.max(0, client.position - one.back);
      break;
    case "proceed":
      client.proceed(one.at);
      break;
    case "reload":
      void client.list.reload();
      break;
    case "more":
      void client.list.more();
      break;
    case "archive":
      if (records.get(one.id)) client.command(one.id, { archived: true }, one.isRefused);
      break;
    case "mark":
      if (records.get(one.id)) client.command(one.id, { unread: one.unread }, false);
      break;
    case "undo":
      client.undo();
      break;
    case "hold":
      client.list.hold();
      break;
    case "release":
      client.list.release();
      break;
    default:
  }
}

async function finish(client: Client): Promise<void> {
  client.list.release();
  for (let rounds = 0; rounds < 200; rounds++) {
    while (client.calls.length > 0) {
      client.proceed(0);
      await settle();
    }
    while (client.position < client.server.log.length) client.receive();
    await settle();
    if (!client.list.view().hasMore && client.calls.length === 0) return;
    void client.list.more();
    await settle();
  }
}

test("interleavings end in the state of the server", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 90 }), async (steps) => {
      const client = new Client();
      for (const name of ["a", "b", "c", "d", "e"]) client.server.message(name);
      // The stream opens first, at the end of the log.
      client.position = client.server.log.length;
      void client.list.reload();
      for (const one of steps) {
        play(client, one);
        await settle();
      }
      await finish(client);
      expect(client.records.hasOverlays).toBe(false);
      expect(client.list.view().ids).toEqual(client.server.open().map((item) => item.id));
      for (const item of client.server.items.values()) {
        const known = client.records.get(item.id);
        if (known !== undefined) expect(known).toEqual(item);
      }
    }),
    { numRuns: 300 },
  );
});

test("sequence of a record never decreases", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60 }), async (steps) => {
      const client = new Client();
      const highest = new Map<string, bigint>();
      client.server.message("a");
      client.server.message("b");
      void client.list.reload();
      for (const one of steps) {
        play(client, one);
        await settle();
        for (const known of client.records.ids()) {
          const sequence = client.records.stored(known)?.sequence;
          if (sequence === undefined) continue;
          expect(sequence >= (highest.get(known) ?? 0n)).toBe(true);
          highest.set(known, sequence);
        }
      }
    }),
    { numRuns: 150 },
  );
});

test("rows stay in place while the list is held", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60 }), async (steps) => {
      const client = new Client();
      for (const name of ["a", "b", "c", "d"]) client.server.message(name);
      client.position = client.server.log.length;
      void client.list.reload();
      for (let calls = 0; calls < 4; calls++) {
        client.proceed(0);
        await settle();
      }
      client.list.hold();
      let before = client.list.view().ids;
      for (const one of steps) {
        if (one.do === "release") continue;
        play(client, one);
        await settle();
        const { ids } = client.list.view();
        // Rows may leave, and pages may follow at the end, but nothing changes places.
        const remaining = before.filter((row) => ids.includes(row));
        expect(ids.slice(0, remaining.length)).toEqual(remaining);
        before = ids;
      }
    }),
    { numRuns: 150 },
  );
});

test("archived row of a held list leaves and is counted back by undo", async () => {
  const client = new Client();
  for (const name of ["a", "b", "c"]) client.server.message(name);
  client.position = client.server.log.length;
  void client.list.reload();
  client.proceed(0);
  client.proceed(0);
  await settle();
  client.list.hold();
  client.command("b", { archived: true }, false);
  expect(client.list.view().ids).toEqual(["c", "a"]);
  client.server.message("d");
  client.receive();
  expect(client.list.view()).toMatchObject({ ids: ["c", "a"], news: 1 });
  client.list.release();
  expect(client.list.view()).toMatchObject({ ids: ["d", "c", "a"], news: 0 });
});

test("refused command comes back with its reason", async () => {
  const client = new Client();
  client.server.message("a");
  void client.list.reload();
  client.proceed(0);
  client.proceed(0);
  await settle();
  client.command("a", { archived: true }, true);
  expect(client.visible()).toEqual([]);
  await settle();
  client.proceed(0);
  client.proceed(0);
  await settle();
  expect(client.visible()).toEqual(["a"]);
  expect(client.refused).toHaveLength(1);
});

test("deleted record never comes back", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 30, maxLength: 80 }), async (steps) => {
      const client = new Client();
      const deleted = new Map<string, bigint>();
      for (const name of ["a", "b", "c"]) client.server.message(name);
      client.position = client.server.log.length;
      void client.list.reload();
      for (const one of steps) {
        const next = one.do === "receive" ? client.server.log[client.position] : undefined;
        play(client, one);
        await settle();
        if (next !== undefined && next.value === undefined) deleted.set(next.id, next.sequence);
        for (const [name, sequence] of deleted) {
          const known = client.records.stored(name);
          expect(known === undefined || known.sequence > sequence).toBe(true);
        }
      }
    }),
    { numRuns: 300 },
  );
});

test("list never shows rows beyond its loaded pages", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60 }), async (steps) => {
      const client = new Client();
      for (const name of ["a", "b", "c", "d", "e", "f", "g"]) client.server.message(name);
      client.position = client.server.log.length;
      void client.list.reload();
      for (const one of steps) {
        if (one.do !== "more") play(client, one);
        await settle();
      }
      client.list.release();
      for (let rounds = 0; rounds < 100 && client.calls.length > 0; rounds++) {
        client.proceed(0);
        await settle();
      }
      while (client.position < client.server.log.length) client.receive();
      await settle();
      const { ids } = client.list.view();
      expect(
        client.server
          .open()
          .slice(0, ids.length)
          .map((item) => item.id),
      ).toEqual(ids);
    }),
    { numRuns: 300 },
  );
});
