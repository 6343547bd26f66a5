import { ErrorReason, isReason, type Event, type WatchOptions, type WatchResponse } from "@vintedbot/sdk";

/** The state of the stream, for the banner. */
export interface LiveState {
  status: "starting" | "live" | "lost" | "hidden" | "ended";
  /** The time of the last message. What the page shows is as old as this. 0 before the first message. */
  currentAt: number;
  /** The time at which the line was lost. Absent while it is not. */
  lostAt?: number;
}

export interface LiveOptions {
  watch: (options: WatchOptions) => AsyncIterable<WatchResponse>;
  apply: (event: Event) => void;
  now?: () => number;
}

/** How old the stream may be before the page opens it again when the person returns to it. */
const staleMs = 20_000;

/** Follows the event log for all pages, and reports the age of their data. */
export class Live {
  #state: LiveState = { status: "starting", currentAt: 0 };
  #cursor = "";
  #run: AbortController | undefined;
  #opened: Promise<void>;
  #open: () => void = () => undefined;
  /** Whether the lists were read before the stream was open, so that changes in between may be missing. */
  #hasGap = false;
  readonly #listeners = new Set<() => void>();
  readonly #eventListeners = new Set<(event: Event) => void>();
  readonly #gapListeners = new Set<() => void>();
  readonly #now: () => number;

  constructor(private readonly options: LiveOptions) {
    this.#now = options.now ?? Date.now;
    this.#opened = new Promise((resolve) => (this.#open = resolve));
  }

  readonly state = (): LiveState => this.#state;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Calls back after each event has been applied. */
  onEvent(listener: (event: Event) => void): () => void {
    this.#eventListeners.add(listener);
    return () => this.#eventListeners.delete(listener);
  }

  /** Calls back when events may be missing, so that everything that was read has to be read again. */
  onGap(listener: () => void): () => void {
    this.#gapListeners.add(listener);
    return () => this.#gapListeners.delete(listener);
  }

  /**
   * Resolves when the stream is open, so that a list that is read afterwards misses nothing. Also resolves if the stream
   * cannot be opened; the lists are then read again as soon as it is.
   */
  opened(): Promise<void> {
    return this.#opened;
  }

  start(): void {
    if (this.#run !== undefined) return;
    const run = new AbortController();
    this.#run = run;
    this.#follow(run.signal).catch(() => undefined);
  }

  stop(): void {
    this.#run?.abort();
    this.#run = undefined;
  }

  /** Forgets the position, for another person. */
  reset(): void {
    this.stop();
    this.#cursor = "";
    this.#hasGap = false;
    // A read that still waits continues, and fails without a session.
    this.#open();
    this.#opened = new Promise((resolve) => (this.#open = resolve));
    this.#set({ status: "starting", currentAt: 0 });
  }

  /** Opens the stream again if it has been silent, for example because the computer slept. */
  wake(): void {
    if (this.#run === undefined || this.#state.status === "ended") return;
    if (this.#now() - this.#state.currentAt < staleMs) return;
    this.stop();
    this.start();
  }

  async #follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#read(signal);
        return;
      } catch (thrown) {
        if (signal.aborted) return;
        if (isReason(thrown, ErrorReason.CURSOR_EXPIRED, ErrorReason.CURSOR_INVALID)) {
          this.#cursor = "";
          this.#hasGap = true;
          continue;
        }
        this.#set({ ...this.#state, status: "ended" });
        this.#open();
        return;
      }
    }
  }

  async #read(signal: AbortSignal): Promise<void> {
    const messages = this.options.watch({
      cursor: this.#cursor,
      signal,
      onState: ({ status }) => {
        if (signal.aborted) return;
        if (status === "waiting") this.#lose();
        else if (status === "hidden") this.#set({ ...this.#state, status: "hidden" });
      },
    });
    for await (const { cursor, message } of messages) {
      if (signal.aborted) return;
      if (cursor !== "") this.#cursor = cursor;
      if (message.case === "event") {
        callAll([this.options.apply, ...this.#eventListeners], message.value);
      }
      this.#set({ status: "live", currentAt: this.#now() });
      if (this.#hasGap) {
        this.#hasGap = false;
        callAll(this.#gapListeners);
      }
      this.#open();
    }
  }

  #lose(): void {
    // Before the first message there is no position, so whatever is read now has to be read again.
    if (this.#cursor === "") this.#hasGap = true;
    this.#open();
    this.#set({ ...this.#state, status: "lost", lostAt: this.#state.lostAt ?? this.#now() });
  }

  #set(state: LiveState): void {
    this.#state = state;
    callAll(this.#listeners);
  }
}

/** Calls listeners. An error in one of them is logged, and ends neither the others nor the stream. */
function callAll<A extends unknown[]>(listeners: Iterable<(...args: A) => void>, ...args: A): void {
  for (const listener of listeners) {
    try {
      listener(...args);
    } catch (thrown) {
      console.error(thrown);
    }
  }
}
