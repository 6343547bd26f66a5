import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, type Client } from "@connectrpc/connect";

import { connectionError } from "./connection.js";
import { callError, requestIdHeader, type CallError } from "./errors.js";
import type { EventService, WatchRequestSchema, WatchResponse } from "./gen/vintedbot/v1/event_pb.js";
import { backoffMs, isFinal, sleep, uuid, withId } from "./retry.js";

/** The state of a watch. */
export type WatchState =
  /** The stream is being opened. */
  | { status: "connecting" }
  /** Messages arrive. */
  | { status: "live" }
  /** The connection was lost. The next attempt follows after the wait, and at once when the device is online again. */
  | { status: "waiting"; error: CallError; retryInMs: number }
  /** The page is hidden, and another tab may need the connection. Only without Web Locks; see `watchShared`. */
  | { status: "hidden" };

/** The options of a watch: the fields of `WatchRequest`, and the following. */
export interface WatchOptions extends Omit<MessageInitShape<typeof WatchRequestSchema>, "$typeName"> {
  /** Ends the watch when aborted. */
  signal?: AbortSignal;
  /** Called at each change of the state, for example for a connection indicator. */
  onState?: (state: WatchState) => void;
  /** The silence in milliseconds after which the stream counts as broken. Default: 40,000. */
  silenceMs?: number;
}

const longestWaitMs = 10_000;
/** The server sends a checkpoint after 15 seconds without another message. */
const silenceMsDefault = 40_000;

/**
 * Watches the event log across lost connections and server restarts. It resumes with the last cursor, so every event
 * arrives exactly once. An answer without a reason of vintedbot's, such as a proxy's 404, counts as a lost connection.
 * Permanent errors (a revoked API token, an ended session, `CURSOR_EXPIRED`, an origin that is not allowed) are thrown.
 * After `CURSOR_EXPIRED`, watch again with `snapshot`. To resume later, store the `cursor` of the last message that has
 * one.
 *
 * An interrupted snapshot starts again: use a snapshot only after its `snapshotEnd`.
 */
export async function* watch(
  events: Client<typeof EventService>,
  { signal, onState, silenceMs = silenceMsDefault, ...request }: WatchOptions = {},
): AsyncGenerator<WatchResponse, void, undefined> {
  let cursor = request.cursor ?? "";
  for (let attempt = 1; !signal?.aborted; attempt++) {
    onState?.({ status: "connecting" });
    let cut: unknown;
    const stream = new Stream(events, { ...request, cursor }, silenceMs, signal);
    try {
      for (;;) {
        // Only an error of the call is a lost connection. An error of this generator's reader is passed through.
        const next = await stream.next().catch((error: unknown) => {
          cut = error;
          return undefined;
        });
        if (next === undefined) break;
        if (attempt !== 0) onState?.({ status: "live" });
        attempt = 0;
        if (next.cursor !== "") cursor = next.cursor;
        yield next;
      }
    } finally {
      stream.close();
    }
    if (signal?.aborted) return;
    const error = callError(cut);
    if (isFinal(error)) throw cut;
    attempt = Math.max(attempt, 1);
    const retryInMs = Math.max(backoffMs(attempt, longestWaitMs), error.retryAfterMs ?? 0);
    onState?.({ status: "waiting", error, retryInMs });
    await sleep(retryInMs, signal);
  }
}

/** One call of Watch, which ends with an error if it is silent for too long. */
class Stream {
  readonly #id = uuid();
  readonly #call = new AbortController();
  readonly #messages: AsyncIterator<WatchResponse>;
  readonly #signal: AbortSignal | undefined;

  constructor(
    events: Client<typeof EventService>,
    request: MessageInitShape<typeof WatchRequestSchema>,
    private readonly silenceMs: number,
    signal: AbortSignal | undefined,
  ) {
    this.#signal = signal;
    signal?.addEventListener("abort", this.close);
    const headers = { [requestIdHeader]: this.#id };
    const stream = events.watch(request, { headers, signal: this.#call.signal, timeoutMs: 0 });
    this.#messages = stream[Symbol.asyncIterator]();
  }

  async next(): Promise<WatchResponse> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const silence = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const text = `the stream was silent for ${this.silenceMs} ms: a proxy may hold the messages back`;
        reject(withId(connectionError("silent", text), this.#id));
      }, this.silenceMs);
    });
    try {
      const next = await Promise.race([this.#messages.next(), silence]);
      if (next.done)
        throw withId(new ConnectError("the server ended the stream", Code.Unavailable), this.#id);
      return next.value;
    } finally {
      clearTimeout(timer);
    }
  }

  readonly close = (): void => {
    this.#signal?.removeEventListener("abort", this.close);
    this.#call.abort();
  };
}
