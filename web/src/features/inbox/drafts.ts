import { Code, ErrorReason, callError, isReason, uuid, type Reply, type Thread } from "@vintedbot/sdk";

import { isUnderWay } from "./replyState";

/** What a composer shows. The object is replaced at each change. */
export interface DraftView {
  text: string;
  /** Where the text is. `conflict`: another device has saved another text. */
  status: "saved" | "local" | "saving" | "conflict";
  /** The text of the other device. */
  theirs?: string;
  /** The position of the last message when the person began to write. */
  basePosition: bigint;
}

/** The entry in the storage of this device for a text that the server does not have. */
interface StoredText {
  text: string;
  version: string;
  basePosition: string;
}

export interface DraftStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

export interface DraftOptions {
  threadId: string;
  save: (text: string, expectedVersion: bigint) => Promise<Thread["draft"]>;
  /** Reads the draft that another device has saved. */
  read: () => Promise<Thread["draft"]>;
  storage: DraftStorage;
  saveAfterMs?: number;
  retryAfterMs?: number;
}

/**
 * The draft of one thread. Each change is stored on this device at once and saved on the server a moment later, so that
 * it survives a reload, a restart of the server and a lost line. It never overwrites a text that the person has not
 * seen.
 */
export class Draft {
  #view: DraftView;
  /** The version on the server that the text is based on. */
  #version: bigint;
  #savedText: string;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #saving: Promise<void> | undefined;
  #theirVersion = 0n;
  /** The entry that this page has stored. Another tab may have stored a newer text since. */
  #entry: string | null = null;
  /** The draft of an event that arrived during a save. */
  #missed: Thread["draft"];
  /** Texts whose save was not answered. The server may have stored one of them. */
  readonly #unanswered = new Set<string>();
  /** The idempotency key of the reply that this text was last sent as. */
  #request = { text: "", id: "" };
  /** The replies under way that this draft has compared with its text. */
  readonly #underWay = new Set<string>();
  readonly #listeners = new Set<() => void>();

  constructor(
    private readonly options: DraftOptions,
    remote: Thread["draft"],
  ) {
    this.#version = remote?.version ?? 0n;
    this.#savedText = remote?.text ?? "";
    this.#view = { text: this.#savedText, status: "saved", basePosition: -1n };
    this.#recall();
  }

  readonly view = (): DraftView => this.#view;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Takes what the person typed. `lastPosition` is that of the newest message. */
  type(text: string, lastPosition: bigint): void {
    const isFirst = this.#view.text === "" || this.#view.basePosition < 0n;
    const basePosition = isFirst ? lastPosition : this.#view.basePosition;
    const status = this.#view.status === "conflict" ? "conflict" : "local";
    this.#show({ ...this.#view, text, status, basePosition });
    this.#store();
    this.#schedule(this.options.saveAfterMs ?? 800);
  }

  /** Takes the draft of an event. */
  receive(remote: Thread["draft"]): void {
    if (remote === undefined || remote.version <= this.#version) return;
    if (this.#saving !== undefined) {
      this.#missed = remote;
      return;
    }
    if (this.#view.text === this.#savedText) this.#adopt(remote.text, remote.version);
    else this.#compare(remote.text, remote.version);
  }

  /**
   * Takes a reply of this thread. Clears the draft when a reply with its text gets under way, so that the text is not
   * sent twice. Later states of the same reply do not count: the person may have typed the same text again.
   */
  receiveReply(reply: Pick<Reply, "id" | "state" | "text">): void {
    const { id, state, text } = reply;
    if (text === this.#request.text) this.#request = { text: "", id: "" };
    if (!isUnderWay(state)) {
      this.#underWay.delete(id);
      return;
    }
    if (this.#underWay.has(id)) return;
    this.#underWay.add(id);
    if (text === "" || this.#view.text.trim() !== text) return;
    this.type("", -1n);
    void this.flush();
  }

  /**
   * Returns the idempotency key for a reply with this text. The key stays the same until the text changes or the reply
   * is known, so that a second attempt after a lost answer makes no second reply.
   */
  requestId(text: string): string {
    if (this.#request.text !== text) this.#request = { text, id: uuid() };
    return this.#request.id;
  }

  /** Ends a conflict with this text or with the other one. */
  resolve(isMine: boolean): void {
    const { theirs = "", status } = this.#view;
    if (status !== "conflict") return;
    if (!isMine) {
      this.#adopt(theirs, this.#theirVersion);
      return;
    }
    this.#rebase(theirs, this.#theirVersion);
  }

  /** Saves at once what is not saved. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#saving;
    await this.#save();
  }

  /** Stops saving. The text stays on this device. */
  close(): void {
    if (this.#view.status === "local") void this.flush().catch(() => undefined);
    clearTimeout(this.#timer);
  }

  get #key(): string {
    return `vintedbot.draft.${this.options.threadId}`;
  }

  #recall(): void {
    let stored: StoredText | undefined;
    try {
      this.#entry = this.options.storage.getItem(this.#key);
      stored = JSON.parse(this.#entry ?? "null") as StoredText | undefined;
      if (!stored) return;
      const version = BigInt(stored.version);
      if (stored.text === this.#savedText) {
        this.options.storage.removeItem(this.#key);
        return;
      }
      this.#view = { text: stored.text, status: "local", basePosition: BigInt(stored.basePosition) };
      if (version < this.#version) {
        const [theirs, theirVersion] = [this.#savedText, this.#version];
        this.#version = version;
        this.#conflict(theirs, theirVersion);
      } else this.#schedule(0);
    } catch {
      // The browser refuses storage, or the entry is damaged: the server's draft counts.
    }
  }

  #store(): void {
    const { text, basePosition } = this.#view;
    const { storage } = this.options;
    try {
      if (text === this.#savedText && this.#view.status !== "conflict") {
        if (storage.getItem(this.#key) === this.#entry) storage.removeItem(this.#key);
      } else {
        const stored: StoredText = {
          text,
          version: String(this.#version),
          basePosition: String(basePosition),
        };
        this.#entry = JSON.stringify(stored);
        storage.setItem(this.#key, this.#entry);
      }
    } catch {
      // Without storage, the server's copy is the only one.
    }
  }

  #schedule(afterMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.flush(), afterMs);
  }

  async #save(): Promise<void> {
    const { text, status } = this.#view;
    if (status === "conflict" || status === "saving") return;
    if (text === this.#savedText) {
      this.#show({ ...this.#view, status: "saved" });
      this.#store();
      return;
    }
    this.#show({ ...this.#view, status: "saving" });
    this.#saving = this.#send(text);
    await this.#saving;
  }

  async #send(text: string): Promise<void> {
    try {
      const draft = await this.options.save(text, this.#version);
      this.#version = draft?.version ?? this.#version + 1n;
      this.#savedText = text;
      this.#unanswered.clear();
      this.#saving = undefined;
      const isCurrent = this.#view.text === text;
      this.#show({ ...this.#view, status: isCurrent ? "saved" : "local" });
      this.#store();
      if (!isCurrent) this.#schedule(this.options.saveAfterMs ?? 800);
      const missed = this.#missed;
      this.#missed = undefined;
      this.receive(missed);
    } catch (thrown) {
      this.#saving = undefined;
      this.#show({ ...this.#view, status: "local" });
      if (isReason(thrown, ErrorReason.DRAFT_CONFLICT)) await this.#readTheirs();
      else if (isTemporary(thrown)) {
        this.#unanswered.add(text);
        this.#schedule(this.options.retryAfterMs ?? 5_000);
      }
    }
  }

  async #readTheirs(): Promise<void> {
    try {
      const theirs = await this.options.read();
      if (theirs === undefined) return;
      this.#compare(theirs.text, theirs.version);
    } catch {
      this.#schedule(this.options.retryAfterMs ?? 5_000);
    }
  }

  /** Compares the server's text with a text that is not saved. */
  #compare(text: string, version: bigint): void {
    if (text === this.#view.text) this.#adopt(text, version);
    // An earlier text of this page, whose save was stored although its answer was lost.
    else if (this.#unanswered.has(text)) this.#rebase(text, version);
    else this.#conflict(text, version);
  }

  /** Saves the text of this page as the successor of the server's text. */
  #rebase(savedText: string, version: bigint): void {
    this.#version = version;
    this.#savedText = savedText;
    this.#unanswered.clear();
    const { theirs: _, ...view } = this.#view;
    this.#show({ ...view, status: "local" });
    this.#store();
    this.#schedule(0);
  }

  #adopt(text: string, version: bigint): void {
    clearTimeout(this.#timer);
    this.#version = version;
    this.#savedText = text;
    this.#unanswered.clear();
    this.#show({ text, status: "saved", basePosition: -1n });
    this.#store();
  }

  #conflict(theirs: string, version: bigint): void {
    clearTimeout(this.#timer);
    this.#theirVersion = version;
    this.#show({ ...this.#view, status: "conflict", theirs });
    this.#store();
  }

  #show(view: DraftView): void {
    this.#view = view;
    for (const listener of this.#listeners) listener();
  }
}

/** Whether the same save may succeed later. */
function isTemporary(thrown: unknown): boolean {
  const { code, reasonName } = callError(thrown);
  return (
    reasonName === "" ||
    code === Code.Unavailable ||
    code === Code.ResourceExhausted ||
    code === Code.DeadlineExceeded
  );
}
