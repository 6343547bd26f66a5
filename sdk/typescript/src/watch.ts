import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, type Client } from "@connectrpc/connect";

import { callError, type CallError } from "./errors.js";
import type { EventService, WatchRequestSchema, WatchResponse } from "./gen/vintedbot/v1/event_pb.js";
import { isFinal, sleep } from "./retry.js";

/** The options of a watch: the fields of `WatchRequest`, and the following. */
export interface WatchOptions extends Omit<MessageInitShape<typeof WatchRequestSchema>, "$typeName"> {
  /** Ends the watch when aborted. */
  signal?: AbortSignal;
  /** Called when the connection is lost, with the wait before the next attempt. Useful for a connection indicator. */
  onCut?: (error: CallError, retryInMs: number) => void;
}

const firstWaitMs = 250;
const longestWaitMs = 10_000;

/**
 * Watches the event log across lost connections and server restarts. It resumes with the last cursor, so every event
 * arrives exactly once. Permanent errors (a revoked API token, an ended session, `CURSOR_EXPIRED`) are thrown. After
 * `CURSOR_EXPIRED`, watch again with `snapshot`. To resume later, store the `cursor` of the last message that has one.
 *
 * An interrupted snapshot starts again: use a snapshot only after its `snapshotEnd`.
 */
export async function* watch(
  events: Client<typeof EventService>,
  { signal, onCut, ...request }: WatchOptions = {},
): AsyncGenerator<WatchResponse, void, undefined> {
  let cursor = request.cursor ?? "";
  let waitMs = firstWaitMs;
  while (!signal?.aborted) {
    let cut: unknown = new ConnectError("the server ended the stream", Code.Unavailable);
    const call = new AbortController();
    const end = (): void => call.abort();
    signal?.addEventListener("abort", end);
    try {
      const stream = events.watch({ ...request, cursor }, { signal: call.signal, timeoutMs: 0 });
      const messages = stream[Symbol.asyncIterator]();
      for (;;) {
        // Only an error of the call is a lost connection. An error of this generator's reader is passed through.
        const next = await messages.next().catch((error: unknown) => {
          cut = error;
          return undefined;
        });
        if (next === undefined || next.done) break;
        waitMs = firstWaitMs;
        if (next.value.cursor !== "") cursor = next.value.cursor;
        yield next.value;
      }
    } finally {
      signal?.removeEventListener("abort", end);
      call.abort();
    }
    if (signal?.aborted) return;
    const error = callError(cut);
    if (isFinal(error)) throw cut;
    const retryInMs = Math.max(waitMs * (0.5 + Math.random() / 2), error.retryAfterMs ?? 0);
    onCut?.(error, retryInMs);
    await sleep(retryInMs, signal);
    waitMs = Math.min(waitMs * 2, longestWaitMs);
  }
}
