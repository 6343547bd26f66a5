import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";

import { WatchResponseSchema, type EventService, type WatchResponse } from "./gen/vintedbot/v1/event_pb.js";
import { watch, type WatchOptions, type WatchState } from "./watch.js";

/** The options of a shared watch. */
export interface SharedWatchOptions extends WatchOptions {
  /**
   * The text that is the same in all tabs that may share a stream, and different for other people, tokens and servers.
   */
  sharedId: string;
}

/** A message of the shared stream. */
interface Shared {
  message: WatchResponse;
  /** The position in the event log before this message. A tab at an earlier position would miss events. */
  from: bigint;
}

/** What tabs send to each other: messages and states of the shared stream, and the question for its position. */
type Letter = { from: bigint; bytes: Uint8Array } | { state: WatchState } | "position?";

/** A position in the event log. */
interface Position {
  cursor: string;
  sequence: bigint;
}

/** Messages that a tab keeps until it reads them. A tab that falls further behind opens its own stream again. */
const bufferedMax = 1_000;
const silenceMsDefault = 40_000;
/** The wait for the position of the shared stream, if there is one. */
const positionMs = 300;
/** The time for which a tab that needs its own stream waits for other such tabs. */
const turnMs = 10_000;

/**
 * Watches the event log as `watch` does, with one stream for all tabs of an origin. A browser opens at most six
 * HTTP/1.1 connections to a server, so with a stream in each tab, the seventh tab could not make calls. One tab holds a
 * Web Lock and the stream, and sends its messages to the others. When it closes, the next tab continues from its own
 * position.
 *
 * A tab with a `cursor` or `snapshot`, or that missed messages, has its own stream until it has caught up. Without Web
 * Locks (in pages that were loaded neither by https nor from localhost), each visible tab has a stream and hidden tabs
 * have none. Outside of browsers this is `watch`.
 */
export function watchShared(
  events: Client<typeof EventService>,
  { sharedId, ...options }: SharedWatchOptions,
): AsyncGenerator<WatchResponse, void, undefined> {
  if (typeof document === "undefined") return watch(events, options);
  if (typeof BroadcastChannel === "undefined" || !navigator.locks) return watchWhileVisible(events, options);
  const { signal: _signal, onState: _onState, cursor: _cursor, snapshot: _snapshot, ...rest } = options;
  const { silenceMs, ...filter } = rest;
  return new Tab(events, `vintedbot.watch ${sharedId} ${JSON.stringify(filter)}`, options, rest).messages();
}

/**
 * The watch of one tab. Its reader takes the messages of the shared stream, also in the tab that has this stream, so
 * that a reader that is slow delays no other tab.
 */
class Tab {
  readonly #channel: BroadcastChannel;
  readonly #end = new AbortController();
  /** The messages of the shared stream that this tab has not read yet. */
  #buffered: Shared[] = [];
  /** The last position that this tab's reader has. Absent until the first checkpoint, or until the snapshot's end. */
  #position: Position | undefined;
  /** Ends the wait for the channel or for a turn, or this tab's own stream. */
  #wake: () => void = () => undefined;
  #status: WatchState["status"] | undefined;
  /** Whether this tab reads its own stream, and the state is that of this stream. */
  #isAlone = false;
  #sharedState: WatchState = { status: "connecting" };
  /** Whether this tab has the shared stream. */
  #isLeader = false;
  /** The position of the shared stream, in the tab that has it. */
  #led: Position | undefined;
  /** The error that ended the shared stream of this tab. */
  #failure: { error: unknown } | undefined;

  constructor(
    private readonly events: Client<typeof EventService>,
    private readonly name: string,
    private readonly options: WatchOptions,
    /** The options of all tabs. */
    private readonly common: WatchOptions,
  ) {
    this.#channel = new BroadcastChannel(name);
  }

  async *messages(): AsyncGenerator<WatchResponse, void, undefined> {
    const { signal } = this.options;
    const end = (): void => this.#end.abort();
    signal?.addEventListener("abort", end);
    if (signal?.aborted) end();
    this.#channel.addEventListener("message", ({ data }: MessageEvent<Letter>) => this.#receive(data));
    this.#end.signal.addEventListener("abort", () => this.#wake());
    // An aborted wait is the end of this watch.
    navigator.locks
      .request(this.name, { signal: this.#end.signal }, () => this.#lead())
      .catch(() => undefined);
    try {
      if (this.#startsAtEnd) {
        this.#channel.postMessage("position?" satisfies Letter);
        await this.#channelHasMore(positionMs);
      }
      while (!this.#isOver) {
        if (this.#hasConnected()) yield* this.#channelMessages();
        else if (this.#isLeader && this.#startsAtEnd) await this.#channelHasMore(silenceMsDefault);
        else yield* this.#ownStream();
      }
      if (this.#failure !== undefined && !this.#end.signal.aborted) throw this.#failure.error;
    } finally {
      signal?.removeEventListener("abort", end);
      this.#end.abort();
      this.#channel.close();
    }
  }

  /** Whether the reader wants only what comes, and has nothing yet. */
  get #startsAtEnd(): boolean {
    const { snapshot, cursor } = this.options;
    return this.#position === undefined && !snapshot && !cursor;
  }

  get #isOver(): boolean {
    return this.#end.signal.aborted || this.#failure !== undefined;
  }

  /** Reads the shared stream and sends its messages to all tabs. Runs while this tab holds the lock. */
  async #lead(): Promise<void> {
    this.#isLeader = true;
    this.#led = this.#position;
    this.#wake();
    const start = this.#led === undefined ? {} : { cursor: this.#led.cursor };
    const onState = (state: WatchState): void => {
      this.#channel.postMessage({ state } satisfies Letter);
      this.#reportShared(state);
    };
    try {
      const options = { ...this.common, ...start, signal: this.#end.signal, onState };
      for await (const message of watch(this.events, options)) {
        const before = this.#led;
        this.#led = positionAfter(before, message);
        const from = (before ?? this.#led)?.sequence;
        if (from === undefined) continue;
        this.#send({ from, message });
        this.#keep({ from, message });
      }
    } catch (error) {
      this.#failure = { error };
      this.#wake();
    }
  }

  #receive(letter: Letter): void {
    if (letter === "position?") {
      const checkpoint = this.#ledCheckpoint();
      if (checkpoint === undefined) return;
      this.#send(checkpoint);
      if (this.#sharedState.status !== "live") {
        this.#channel.postMessage({ state: this.#sharedState } satisfies Letter);
      }
    } else if (this.#isLeader) {
      return;
    } else if ("state" in letter) {
      this.#reportShared(letter.state);
    } else {
      this.#reportShared({ status: "live" });
      this.#keep({ from: letter.from, message: fromBinary(WatchResponseSchema, letter.bytes) });
    }
  }

  #send({ from, message }: Shared): void {
    if (this.#end.signal.aborted) return;
    this.#channel.postMessage({ from, bytes: toBinary(WatchResponseSchema, message) } satisfies Letter);
  }

  /** Keeps a message of the shared stream for the reader. */
  #keep(shared: Shared): void {
    const { cursor, message } = shared.message;
    if (this.#startsAtEnd && message.case === "checkpoint") {
      this.#position = { cursor, sequence: message.value.sequence };
      this.#buffered = [];
    }
    if (this.#buffered.length === bufferedMax) this.#buffered = [];
    this.#buffered.push(shared);
    this.#wake();
  }

  /** Returns the position of the shared stream, in the tab that has it. */
  #ledCheckpoint(): Shared | undefined {
    if (!this.#isLeader || this.#led === undefined) return undefined;
    const { cursor, sequence } = this.#led;
    const message = create(WatchResponseSchema, {
      cursor,
      message: { case: "checkpoint", value: { sequence } },
    });
    return { from: sequence, message };
  }

  /** Reads the log with a stream of this tab until it meets the shared stream. */
  async *#ownStream(): AsyncGenerator<WatchResponse, void, undefined> {
    this.#isAlone = true;
    this.#report({ status: "connecting" });
    const endTurn = await this.#turn();
    const stop = new AbortController();
    this.#wake = () => {
      if (this.#isOver || this.#hasConnected()) stop.abort();
    };
    this.#wake();
    try {
      const { snapshot, cursor } = this.options;
      const start = this.#position === undefined ? { snapshot, cursor } : { cursor: this.#position.cursor };
      const options = { ...this.common, ...defined(start), signal: stop.signal, onState: this.#report };
      for await (const message of watch(this.events, options)) {
        this.#advance(message);
        if (this.#position !== undefined && this.#buffered.length === 0) this.#askForPosition();
        yield message;
        this.#wake();
        if (stop.signal.aborted) return;
      }
    } finally {
      this.#isAlone = false;
      endTurn();
    }
  }

  /**
   * Waits until no other tab has its own stream, so that these streams leave connections for the shared one. Waits no
   * longer than `turnMs`, because the shared stream may be in a tab that the browser has suspended. Returns the
   * function that ends the turn.
   */
  #turn(): Promise<() => void> {
    return new Promise((resolve) => {
      const wait = new AbortController();
      const timer = setTimeout(() => wait.abort(), turnMs);
      this.#wake = () => {
        if (this.#isOver || this.#hasConnected()) wait.abort();
      };
      const begin = (end: () => void): void => {
        clearTimeout(timer);
        resolve(end);
      };
      navigator.locks
        .request(`${this.name} reading`, { signal: wait.signal }, () => new Promise<void>(begin))
        .catch(() => begin(() => undefined));
      this.#wake();
    });
  }

  #askForPosition(): void {
    const own = this.#ledCheckpoint();
    if (own !== undefined) this.#keep(own);
    else this.#channel.postMessage("position?" satisfies Letter);
  }

  /** Passes the messages of the shared stream on, until it has a gap or its tab is silent. */
  async *#channelMessages(): AsyncGenerator<WatchResponse, void, undefined> {
    const { silenceMs = silenceMsDefault } = this.options;
    this.#report(this.#sharedState);
    // The own stream has delivered these.
    this.#buffered = this.#buffered.filter(({ message }) => message.message.case !== "ephemeral");
    while (!this.#end.signal.aborted) {
      const next = this.#buffered.shift();
      if (next === undefined) {
        if (this.#isOver) return;
        const hasMore = await this.#channelHasMore(silenceMs);
        // In this tab, the shared stream itself notices a silence.
        if (!hasMore && !this.#isLeader) return;
        continue;
      }
      if (next.from > (this.#position?.sequence ?? -1n)) return;
      if (this.#advance(next.message)) yield next.message;
    }
  }

  /** Waits until the channel has a message, this tab leads, or the watch ends. Returns false after a silence. */
  #channelHasMore(silenceMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), silenceMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
  }

  /** Returns whether the messages of the shared stream connect to this tab's position. */
  #hasConnected(): boolean {
    const [first] = this.#buffered;
    return first !== undefined && first.from <= (this.#position?.sequence ?? -1n);
  }

  /** Moves the position to a message. Returns false if this tab's reader has it already. */
  #advance(message: WatchResponse): boolean {
    const known = this.#position?.sequence ?? -1n;
    this.#position = positionAfter(this.#position, message);
    const { case: kind, value } = message.message;
    if (kind === "event") return value.sequence > known;
    return kind !== "checkpoint" || value.sequence >= known;
  }

  /** Reports a state of the shared stream. */
  #reportShared(state: WatchState): void {
    this.#sharedState = state;
    if (!this.#isAlone) this.#report(state);
  }

  readonly #report = (state: WatchState): void => {
    if (state.status !== "waiting" && state.status === this.#status) return;
    this.#status = state.status;
    this.options.onState?.(state);
  };
}

/** Returns the position after a message. */
function positionAfter(
  known: Position | undefined,
  { cursor, message }: WatchResponse,
): Position | undefined {
  if (message.case === undefined || message.case === "ephemeral" || message.case === "snapshot") return known;
  const { sequence } = message.value;
  return sequence >= (known?.sequence ?? -1n) ? { cursor, sequence } : known;
}

/** Watches while the page is visible, and continues from its position when it is visible again. */
async function* watchWhileVisible(
  events: Client<typeof EventService>,
  { signal, ...options }: WatchOptions,
): AsyncGenerator<WatchResponse, void, undefined> {
  let cursor = options.cursor ?? "";
  while (!signal?.aborted) {
    await becomesVisible(signal, () => options.onState?.({ status: "hidden" }));
    const stop = new AbortController();
    const end = (): void => {
      if (document.hidden || signal?.aborted) stop.abort();
    };
    document.addEventListener("visibilitychange", end);
    signal?.addEventListener("abort", end);
    end();
    try {
      for await (const message of watch(events, { ...options, cursor, signal: stop.signal })) {
        if (message.cursor !== "") cursor = message.cursor;
        yield message;
      }
    } finally {
      document.removeEventListener("visibilitychange", end);
      signal?.removeEventListener("abort", end);
      stop.abort();
    }
  }
}

function becomesVisible(signal: AbortSignal | undefined, onHidden: () => void): Promise<void> {
  if (!document.hidden) return Promise.resolve();
  onHidden();
  return new Promise((resolve) => {
    const check = (): void => {
      if (document.hidden && !signal?.aborted) return;
      document.removeEventListener("visibilitychange", check);
      signal?.removeEventListener("abort", check);
      resolve();
    };
    document.addEventListener("visibilitychange", check);
    signal?.addEventListener("abort", check);
  });
}

function defined<T extends object>(values: T): { [K in keyof T]?: NonNullable<T[K]> } {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: NonNullable<T[K]> };
}
