import {
  create,
  Reply_State as State,
  ReplySchema,
  ThreadSchema,
  timestampFromDate,
  type Reply,
  type Thread,
} from "@vintedbot/sdk";
import { beforeEach, expect, test, vi } from "vitest";

const { resources, gaps, inbox } = await vi.hoisted(async () => {
  const { Resources } = await import("../../src/data/resources");
  const gaps = new Set<() => void>();
  const inbox = { listReplies: vi.fn(), saveDraft: vi.fn(), getThread: vi.fn() };
  return { resources: new Resources(), gaps, inbox };
});
vi.mock("../../src/data/store", () => ({
  resources,
  live: { onGap: (listener: () => void) => gaps.add(listener) },
}));
vi.mock("../../src/features/inbox/inbox", () => ({ inbox }));

const at = (second: number): ReturnType<typeof timestampFromDate> =>
  timestampFromDate(new Date(Date.UTC(2026, 4, 1, 12, 0, second)));

let ids = 0;

/** A thread whose draft was saved in second 10. */
function thread(): Thread {
  const id = `t${++ids}`;
  const value = create(ThreadSchema, {
    id,
    sequence: 1n,
    draft: { text: "Sold.", version: 1n, updateTime: at(10) },
  });
  resources.threads.apply(value);
  return value;
}

function replyOf({ id }: Thread, state: State, second: number): Reply {
  const createTime = at(second);
  return create(ReplySchema, { id: `r-${id}`, threadId: id, sequence: 2n, text: "Sold.", state, createTime });
}

beforeEach(() => {
  vi.stubGlobal("window", new EventTarget());
  vi.stubGlobal("localStorage", {
    getItem: () => null,
    setItem: () => undefined,
    removeItem: () => undefined,
  });
  inbox.listReplies.mockResolvedValue({ replies: [] });
  inbox.saveDraft.mockResolvedValue({});
});

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function open(value: Thread) {
  const { draftOf } = await import("../../src/features/inbox/draftStore");
  const draft = draftOf(value);
  await settle();
  return draft;
}

test("reply event clears the draft of its thread only", async () => {
  const [one, other] = [thread(), thread()];
  const drafts = [await open(one), await open(other)];
  resources.replies.apply(replyOf(one, State.QUEUED, 11));
  expect(drafts.map((draft) => draft.view().text)).toEqual(["", "Sold."]);
});

test("reply known before the draft was opened clears it", async () => {
  const value = thread();
  resources.replies.apply(replyOf(value, State.UNCONFIRMED, 11));
  expect((await open(value)).view().text).toBe("");
});

test("draft that was sent while the page was closed is cleared", async () => {
  const value = thread();
  inbox.listReplies.mockResolvedValue({ replies: [replyOf(value, State.SENT, 11)] });
  expect((await open(value)).view().text).toBe("");
  expect(inbox.saveDraft).toHaveBeenCalledWith({ threadId: value.id, text: "", expectedVersion: 1n });
});

test("draft saved after a reply with the same text stays", async () => {
  const value = thread();
  inbox.listReplies.mockResolvedValue({ replies: [replyOf(value, State.SENT, 9)] });
  expect((await open(value)).view().text).toBe("Sold.");
});

test("draft that was sent in a gap of the log is cleared", async () => {
  const value = thread();
  const draft = await open(value);
  inbox.listReplies.mockResolvedValue({ replies: [replyOf(value, State.SENT, 11)] });
  for (const listener of gaps) listener();
  await settle();
  expect(draft.view().text).toBe("");
});
