import { create, ThreadSchema, timestampFromDate, type Thread } from "@vintedbot/sdk";
import { expect, test } from "vitest";

import { Commands } from "../../src/data/command";
import { Records } from "../../src/data/records";
import { threadChanges, type InboxCalls } from "../../src/features/inbox/changes";
import { byNewest, filterOf, matches, parametersOf, views } from "../../src/features/inbox/threadFilter";

const now = Date.UTC(2026, 10, 30, 12);
const thread = (values: Partial<Thread>): Thread =>
  create(ThreadSchema, { id: "t", sequence: 1n, ...values } as never);

/** A server that applies the calls to one thread, as the contract says. */
function setUp(initial: Thread) {
  const calls: string[] = [];
  let state = initial;
  const write = (name: string, change: Partial<Thread>): Thread => {
    calls.push(name);
    state = { ...state, ...change, sequence: state.sequence + 1n };
    return state;
  };
  const inbox: InboxCalls = {
    archiveThreads: async ({ unarchive }) => {
      const { snoozeTime: _, ...rest } = state;
      if (!unarchive) state = rest;
      return { threads: [write(unarchive ? "unarchive" : "archive", { archived: !unarchive })] };
    },
    markThreads: async ({ unread }) => ({ threads: [write("mark", { unread })] }),
    labelThreads: async ({ add, remove }) => ({
      threads: [
        write("label", {
          labels: [...new Set([...state.labels, ...add])].filter((one) => !remove.includes(one)).toSorted(),
        }),
      ],
    }),
    snoozeThread: async ({ snoozeTime }) => {
      if (snoozeTime !== undefined) return { thread: write("snooze", { snoozeTime, archived: false }) };
      const { snoozeTime: _, ...rest } = state;
      state = rest;
      return { thread: write("unsnooze", {}) };
    },
    setThreadNote: async ({ note }) => ({ thread: write("note", { note }) }),
  };
  const records = new Records<Thread>();
  records.apply(initial);
  let ids = 0;
  return {
    calls,
    records,
    commands: new Commands(records, () => `r${++ids}`),
    changes: threadChanges(inbox, () => now),
    state: () => state,
  };
}

test("archive of a snoozed thread is taken back with its snooze", async () => {
  const snoozeTime = timestampFromDate(new Date(now + 3_600_000));
  const { commands, changes, records, state } = setUp(thread({ snoozeTime }));
  const given = commands.execute(changes.archive("t"));
  expect(records.get("t")).toMatchObject({ archived: true });
  expect(records.get("t")?.snoozeTime).toBeUndefined();
  const undone = given.undo?.();
  expect(records.get("t")).toMatchObject({ archived: false, snoozeTime });
  await undone?.done;
  expect(state()).toMatchObject({ archived: false, snoozeTime: { seconds: snoozeTime.seconds } });
});

test("undo is sent after the command although it was given first", async () => {
  const { commands, changes, calls } = setUp(thread({}));
  const undone = commands.execute(changes.archive("t")).undo?.();
  await undone?.done;
  expect(calls).toEqual(["archive", "unarchive", "unsnooze"]);
});

test("snooze of an archived thread is taken back into the archive", async () => {
  const { commands, changes, state } = setUp(thread({ archived: true }));
  await commands.execute(changes.snooze("t", new Date(now + 1_000))).undo?.().done;
  expect(state().archived).toBe(true);
});

test("label undo keeps labels that were there before", async () => {
  const { commands, changes, state } = setUp(thread({ labels: ["old"] }));
  await commands.execute(changes.label("t", ["old", "new"], [])).undo?.().done;
  expect(state().labels).toEqual(["old"]);
});

test("mark and note are taken back", async () => {
  const { commands, changes, state } = setUp(thread({ unread: true, note: "before" }));
  await commands.execute(changes.mark("t", false)).undo?.().done;
  await commands.execute(changes.note("t", "after")).undo?.().done;
  expect(state()).toMatchObject({ unread: true, note: "before" });
});

test("filter decides as the server does", () => {
  const snoozed = thread({ snoozeTime: timestampFromDate(new Date(now + 1)) });
  const over = thread({ snoozeTime: timestampFromDate(new Date(now - 1)) });
  const of = (view: (typeof views)[number], one: Thread): boolean =>
    matches({ view, accountId: "", label: "" }, one, now);
  expect(of("all", snoozed)).toBe(false);
  expect(of("snoozed", snoozed)).toBe(true);
  expect(of("all", over)).toBe(true);
  expect(of("archived", thread({ archived: true }))).toBe(true);
  expect(of("unread", thread({ archived: true, unread: true }))).toBe(false);
  expect(of("offers", thread({ hasOffer: true }))).toBe(true);
  expect(matches({ view: "all", accountId: "a", label: "" }, thread({ accountId: "b" }), now)).toBe(false);
  expect(matches({ view: "all", accountId: "", label: "x" }, thread({ labels: ["x"] }), now)).toBe(true);
});

test("filter survives the address", () => {
  for (const view of views) {
    const filter = { view, accountId: "a", label: "to ship" };
    expect(filterOf(new URLSearchParams(parametersOf(filter).toString()))).toEqual(filter);
  }
  expect(filterOf(new URLSearchParams("view=unknown"))).toEqual({ view: "all", accountId: "", label: "" });
});

test("newest message comes first", () => {
  const at = (id: string, ms: number): Thread =>
    thread({ id, lastMessageTime: timestampFromDate(new Date(now + ms)) });
  const sorted = [at("a", 0), at("b", 5), at("c", 5), at("d", 1_500)].toSorted(byNewest);
  expect(sorted.map(({ id }) => id)).toEqual(["d", "c", "b", "a"]);
});
