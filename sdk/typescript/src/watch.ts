import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, type Client } from "@connectrpc/connect";

import { callError, type CallError } from "./errors.js";
import type { EventService, WatchRequestSchema, WatchResponse } from "./gen/vintedbot/v1/event_pb.js";

/** How to watch. The fields of `WatchRequest`, and: */
export interface WatchOptions extends Omit<MessageInitShape<typeof WatchRequestSchema>, "$typeName"> {
  /** Ends the watch when it is aborted. */
  signal?: AbortSignal;
  /** Told whenever the line was cut, with the wait before the next try. A connection light in a user interface. */
  onCut?: (error: CallError, retryInMs: number) => void;
}

const firstWaitMs = 250;
const longestWaitMs = 10_000;

/**
 * Watches what happens, across cuts: whenever the line is lost or the server restarts, it asks again with the last
 * cursor, so that every event comes exactly once. Whatever cannot get better by itself (a revoked token,
 * `CURSOR_EXPIRED`) is thrown; after the latter watch anew with `snapshot`. To go on later, keep the `cursor` of the last
 * message that has one.
 *
 * A snapshot that is cut off is begun anew: count it only from the `snapshotEnd` on.
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
        // Only what the call throws is a cut; what the reader of this generator throws is its own affair.
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

/** Whether asking again would only give the same answer. Without a reason it is the line, not the server, that spoke. */
function isFinal(error: CallError): boolean {
  switch (error.code) {
    case Code.Unavailable:
    case Code.ResourceExhausted:
    case Code.Internal:
    case Code.DeadlineExceeded:
      return false;
    case Code.Unauthenticated:
    case Code.PermissionDenied:
    case Code.Unimplemented:
      return true;
    default:
      return error.reasonName !== "";
  }
}

function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", done);
  });
}
