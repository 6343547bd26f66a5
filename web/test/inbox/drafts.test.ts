import {
  Code,
  ConnectError,
  create,
  Reply_State as State,
  Thread_DraftSchema,
  type Thread,
} from "@vintedbot/sdk";
import { beforeEach, expect, test, vi } from "vitest";

import { ErrorInfoSchema } from "../../node_modules/@vintedbot/sdk/dist/gen/google/rpc/error_details_pb";
import { Draft, type DraftOptions, type DraftStorage } from "../../src/features/inbox/drafts";

type Remote = Thread["draft"];

const draftOf = (text: string, version: bigint): Remote => create(Thread_DraftSchema, { text, version });

/** A server with one draft, which another device can change. */
class Server {
  draft = draftOf("", 0n);
  isDown = false;
  /** Whether saves are stored but not answered. */
  losesAnswers = false;
  saves = 0;

  save(text: string, expectedVersion: bigint): Remote {
    this.saves++;
    if (this.isDown) throw new ConnectError("down", Code.Unavailable);
    if (expectedVersion !== this.draft?.version && text !== this.draft?.text) {
      throw new ConnectError("conflict", Code.Aborted, undefined, [
        { desc: ErrorInfoSchema, value: { reason: "ERROR_REASON_DRAFT_CONFLICT", domain: "vintedbot" } },
      ]);
    }
    this.draft = draftOf(text, (this.draft?.version ?? 0n) + 1n);
    if (this.losesAnswers) throw new ConnectError("lost", Code.Unavailable);
    return this.draft;
  }
}

function memory(): DraftStorage & { entries: Map<string, string> } {
  const entries = new Map<string, string>();
  return {
    entries,
    getItem: (key) => entries.get(key) ?? null,
    setItem: (key, value) => void entries.set(key, value),
    removeItem: (key) => void entries.delete(key),
  };
}

let server: Server;
let storage: ReturnType<typeof memory>;

beforeEach(() => {
  vi.useFakeTimers();
  server = new Server();
  storage = memory();
});

function open(threadId = "t1", delayMs = 0): Draft {
  const options: DraftOptions = {
    threadId,
    save: async (text, version) => {
      if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
      return server.save(text, version);
    },
    read: async () => server.draft,
    storage,
  };
  return new Draft(options, server.draft);
}

const wait = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

test("typed text is saved once after a pause", async () => {
  const draft = open();
  for (const text of ["H", "He", "Hello"]) draft.type(text, 3n);
  expect(draft.view()).toMatchObject({ text: "Hello", status: "local", basePosition: 3n });
  expect(storage.entries.size).toBe(1);
  await wait(1_000);
  expect(server.draft).toMatchObject({ text: "Hello", version: 1n });
  expect(server.saves).toBe(1);
  expect(draft.view().status).toBe("saved");
  expect(storage.entries.size).toBe(0);
});

test("text survives a reload before it was saved", async () => {
  open().type("half a reply", 1n);
  vi.clearAllTimers();
  const again = open();
  expect(again.view().text).toBe("half a reply");
  await wait(100);
  expect(server.draft?.text).toBe("half a reply");
});

test("text of one thread is not offered in another", () => {
  open("t1").type("for t1", 1n);
  expect(open("t2").view().text).toBe("");
});

test("text stays during a cut and is saved afterwards", async () => {
  const draft = open();
  server.isDown = true;
  draft.type("during the cut", 1n);
  await wait(3_000);
  expect(draft.view().status).toBe("local");
  expect(storage.entries.size).toBe(1);
  server.isDown = false;
  await wait(6_000);
  expect(server.draft?.text).toBe("during the cut");
  expect(draft.view().status).toBe("saved");
});

test("text of another device is adopted if nothing was typed here", () => {
  const draft = open();
  draft.receive(draftOf("from the phone", 1n));
  expect(draft.view()).toMatchObject({ text: "from the phone", status: "saved" });
});

test("text of another device is a conflict if something was typed here", async () => {
  const draft = open();
  draft.type("mine", 1n);
  server.draft = draftOf("theirs", 1n);
  await wait(1_000);
  expect(draft.view()).toMatchObject({ text: "mine", theirs: "theirs", status: "conflict" });
  expect(server.draft?.text).toBe("theirs");
  draft.resolve(true);
  await wait(100);
  expect(server.draft).toMatchObject({ text: "mine", version: 2n });
});

test("other text is taken when the person chooses it", async () => {
  const draft = open();
  draft.type("mine", 1n);
  draft.receive(draftOf("theirs", 1n));
  expect(draft.view().status).toBe("conflict");
  draft.resolve(false);
  await wait(2_000);
  expect(draft.view()).toMatchObject({ text: "theirs", status: "saved" });
  expect(server.saves).toBe(0);
});

test("text that is older than the server's is a conflict after a reload", () => {
  open().type("old text", 1n);
  vi.clearAllTimers();
  server.draft = draftOf("newer text", 5n);
  expect(open().view()).toMatchObject({ text: "old text", theirs: "newer text", status: "conflict" });
});

test("what was typed during a save is saved next", async () => {
  const draft = open("t1", 500);
  draft.type("one", 1n);
  await wait(1_000);
  expect(draft.view().status).toBe("saving");
  draft.type("one two", 1n);
  await wait(3_000);
  expect(server.draft).toMatchObject({ text: "one two", version: 2n });
});

test("storage that refuses does not lose the text", async () => {
  storage.setItem = () => {
    throw new Error("full");
  };
  const draft = open();
  draft.type("no storage", 1n);
  await wait(1_000);
  expect(server.draft?.text).toBe("no storage");
});

test("own text whose save was not answered is no conflict", async () => {
  const draft = open();
  server.losesAnswers = true;
  draft.type("one", 1n);
  await wait(1_000);
  expect(server.draft).toMatchObject({ text: "one", version: 1n });
  server.losesAnswers = false;
  draft.type("one two", 1n);
  await wait(2_000);
  expect(draft.view()).toMatchObject({ text: "one two", status: "saved" });
  expect(server.draft).toMatchObject({ text: "one two", version: 2n });
});

test("event of an unanswered save is no conflict", async () => {
  const draft = open();
  server.losesAnswers = true;
  draft.type("one", 1n);
  await wait(1_000);
  draft.type("one two", 1n);
  draft.receive(server.draft);
  expect(draft.view()).toMatchObject({ text: "one two", status: "local" });
  server.losesAnswers = false;
  await wait(1_000);
  expect(server.draft).toMatchObject({ text: "one two", version: 2n });
});

test("other text is a conflict also after an unanswered save", async () => {
  const draft = open();
  server.losesAnswers = true;
  draft.type("one", 1n);
  await wait(1_000);
  server.losesAnswers = false;
  server.draft = draftOf("theirs", 2n);
  draft.type("one two", 1n);
  await wait(2_000);
  expect(draft.view()).toMatchObject({ text: "one two", theirs: "theirs", status: "conflict" });
});

test.each([State.QUEUED, State.SENDING, State.SENT, State.UNCONFIRMED])(
  "reply in state %i clears the draft with its text",
  async (state) => {
    const draft = open();
    draft.type("Sold. ", 1n);
    await wait(1_000);
    draft.receiveReply({ id: "r1", state, text: "Sold." });
    await wait(0);
    expect(draft.view()).toMatchObject({ text: "", status: "saved" });
    expect(server.draft?.text).toBe("");
  },
);

test.each([State.AWAITING_CONFIRMATION, State.FAILED, State.BLOCKED, State.CANCELLED])(
  "reply in state %i leaves the draft",
  (state) => {
    const draft = open();
    draft.type("Sold.", 1n);
    draft.receiveReply({ id: "r1", state, text: "Sold." });
    expect(draft.view().text).toBe("Sold.");
  },
);

test("reply under way leaves a draft with another text", () => {
  const draft = open();
  draft.type("Sold. Sorry.", 1n);
  draft.receiveReply({ id: "r1", state: State.SENT, text: "Sold." });
  expect(draft.view().text).toBe("Sold. Sorry.");
});

test("same text typed again stays while the reply is sent", () => {
  const draft = open();
  draft.type("Yes", 1n);
  draft.receiveReply({ id: "r1", state: State.QUEUED, text: "Yes" });
  draft.type("Yes", 2n);
  draft.receiveReply({ id: "r1", state: State.SENDING, text: "Yes" });
  draft.receiveReply({ id: "r1", state: State.SENT, text: "Yes" });
  expect(draft.view().text).toBe("Yes");
  draft.receiveReply({ id: "r2", state: State.QUEUED, text: "Yes" });
  expect(draft.view().text).toBe("");
});

test("request id stays until the text changes or the reply is known", () => {
  const draft = open();
  const first = draft.requestId("Hello");
  expect(draft.requestId("Hello")).toBe(first);
  const second = draft.requestId("Hello there");
  expect(second).not.toBe(first);
  draft.receiveReply({ id: "r1", state: State.AWAITING_CONFIRMATION, text: "Hello" });
  expect(draft.requestId("Hello there")).toBe(second);
  draft.receiveReply({ id: "r2", state: State.AWAITING_CONFIRMATION, text: "Hello there" });
  expect(draft.requestId("Hello there")).not.toBe(second);
});
