import { Code, ErrorReason, callError, isReason, type Thread } from "@vintedbot/sdk";

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

/** What a device keeps of a text that the server does not have. */
interface Kept {
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
 * The draft of one thread. Each change is kept on this device at once and saved on the server a moment later, so that it
 * survives a reload, a restart of the server and a lost line. It never overwrites a text that the person has not seen.
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
    this.#keep();
    this.#schedule(this.options.saveAfterMs ?? 800);
  }

  /** Takes the draft of an event. */
  receive(remote: Thread["draft"]): void {
    if (remote === undefined || remote.version <= this.#version) return;
    if (this.#saving !== undefined) {
      this.#missed = remote;
      return;
    }
    if (this.#view.text === this.#savedText || this.#view.text === remote.text)
      this.#adopt(remote.text, remote.version);
    else this.#conflict(remote.text, remote.version);
  }

  /** Ends a conflict with this text or with the other one. */
  resolve(isMine: boolean): void {
    const { theirs = "", status, text } = this.#view;
    if (status !== "conflict") return;
    if (!isMine) {
      this.#adopt(theirs, this.#theirVersion);
      return;
    }
    this.#version = this.#theirVersion;
    this.#savedText = theirs;
    const { theirs: _, ...view } = this.#view;
    this.#show({ ...view, text, status: "local" });
    this.#keep();
    this.#schedule(0);
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
    let kept: Kept | undefined;
    try {
      this.#entry = this.options.storage.getItem(this.#key);
      kept = JSON.parse(this.#entry ?? "null") as Kept | undefined;
      if (!kept) return;
      const version = BigInt(kept.version);
      if (kept.text === this.#savedText) {
        this.options.storage.removeItem(this.#key);
        return;
      }
      this.#view = { text: kept.text, status: "local", basePosition: BigInt(kept.basePosition) };
      if (version < this.#version) {
        const [theirs, theirVersion] = [this.#savedText, this.#version];
        this.#version = version;
        this.#conflict(theirs, theirVersion);
      } else this.#schedule(0);
    } catch {
      // The browser refuses storage, or the entry is damaged: the server's draft counts.
    }
  }

  #keep(): void {
    const { text, basePosition } = this.#view;
    const { storage } = this.options;
    try {
      if (text === this.#savedText && this.#view.status !== "conflict") {
        if (storage.getItem(this.#key) === this.#entry) storage.removeItem(this.#key);
      } else {
        const kept: Kept = { text, version: String(this.#version), basePosition: String(basePosition) };
        this.#entry = JSON.stringify(kept);
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
      this.#keep();
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
      this.#saving = undefined;
      const isCurrent = this.#view.text === text;
      this.#show({ ...this.#view, status: isCurrent ? "saved" : "local" });
      this.#keep();
      if (!isCurrent) this.#schedule(this.options.saveAfterMs ?? 800);
      const missed = this.#missed;
      this.#missed = undefined;
      this.receive(missed);
    } catch (thrown) {
      this.#saving = undefined;
      this.#show({ ...this.#view, status: "local" });
      if (isReason(thrown, ErrorReason.DRAFT_CONFLICT)) await this.#readTheirs();
      else if (isTemporary(thrown)) this.#schedule(this.options.retryAfterMs ?? 5_000);
    }
  }

  async #readTheirs(): Promise<void> {
    try {
      const theirs = await this.options.read();
      if (theirs === undefined) return;
      if (theirs.text === this.#view.text) this.#adopt(theirs.text, theirs.version);
      else this.#conflict(theirs.text, theirs.version);
    } catch {
      this.#schedule(this.options.retryAfterMs ?? 5_000);
    }
  }

  #adopt(text: string, version: bigint): void {
    clearTimeout(this.#timer);
    this.#version = version;
    this.#savedText = text;
    this.#show({ text, status: "saved", basePosition: -1n });
    this.#keep();
  }

  #conflict(theirs: string, version: bigint): void {
    clearTimeout(this.#timer);
    this.#theirVersion = version;
    this.#show({ ...this.#view, status: "conflict", theirs });
    this.#keep();
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
