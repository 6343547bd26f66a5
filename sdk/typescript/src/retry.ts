import type { DescField } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel as Idempotency } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type Interceptor, type UnaryRequest } from "@connectrpc/connect";

import { callError, requestIdHeader, type CallError } from "./errors.js";

const attemptsMax = 4;
const firstWaitMs = 250;
/** A longer wait is the caller's decision. */
const longestWaitMs = 5_000;

/** Returns whether `watch` and a refresh should give up, because the server itself refused the call. */
export function isFinal(error: CallError): boolean {
  if (error.problem === "origin_not_allowed") return true;
  // Without a reason, the answer is not from vintedbot: the connection broke, or a proxy answered.
  if (error.reasonName === "") return false;
  switch (error.code) {
    case Code.Unavailable:
    case Code.ResourceExhausted:
    case Code.Internal:
    case Code.DeadlineExceeded:
      return false;
    default:
      return true;
  }
}

/** Returns whether the same call may succeed a moment later. */
function isTransient(error: CallError): boolean {
  return (
    error.code === Code.Unavailable ||
    (error.code === Code.ResourceExhausted && error.retryAfterMs !== undefined)
  );
}

/** Returns a wait with jitter before attempt `attempt + 1`. */
export function backoffMs(attempt: number, maxMs: number): number {
  return Math.min(firstWaitMs * 2 ** (attempt - 1), maxMs) * (0.5 + Math.random() / 2);
}

/** The field of the idempotency key of a request. */
interface WithRequestId {
  requestId: string;
}

function hasRequestId(fields: readonly DescField[]): boolean {
  return fields.some((field) => field.name === "request_id" && field.fieldKind === "scalar");
}

/**
 * Gives each request that can have an idempotency key a new one, unless the caller chose it, and repeats unary calls
 * that are safe to repeat: those that only read, and those with a key.
 */
export const retrying: Interceptor = (next) => async (request) => {
  if (request.stream) return next(request);
  const keyed = withRequestId(request);
  for (let attempt = 1; ; attempt++) {
    try {
      return await next({ ...keyed, header: new Headers(keyed.header) });
    } catch (thrown) {
      const error = callError(thrown);
      const waitMs = Math.max(backoffMs(attempt, longestWaitMs), error.retryAfterMs ?? 0);
      const mayHelp = isSafe(keyed) && isTransient(error);
      if (!mayHelp || attempt === attemptsMax || waitMs > longestWaitMs || request.signal.aborted)
        throw thrown;
      await sleep(waitMs, request.signal);
      if (request.signal.aborted) throw thrown;
    }
  }
};

function withRequestId(request: UnaryRequest): UnaryRequest {
  if (!hasRequestId(request.method.input.fields)) return request;
  if ((request.message as Partial<WithRequestId>).requestId) return request;
  // The message may be the caller's own, which must keep its empty key.
  const message = Object.assign(
    Object.create(Object.getPrototypeOf(request.message) as object) as UnaryRequest["message"],
    request.message,
    { requestId: uuid() },
  );
  return { ...request, message };
}

function isSafe({ method, message }: UnaryRequest): boolean {
  return (
    method.idempotency !== Idempotency.IDEMPOTENCY_UNKNOWN ||
    Boolean((message as Partial<WithRequestId>).requestId)
  );
}

/** Sends an id with each call, which the server logs, and adds it to the errors. */
export const identified: Interceptor = (next) => async (request) => {
  const id = request.header.get(requestIdHeader) ?? uuid();
  request.header.set(requestIdHeader, id);
  try {
    const response = await next(request);
    return response.stream ? { ...response, message: identifiedMessages(response.message, id) } : response;
  } catch (thrown) {
    // Connect throws the reason of an abort in place of the error. At the deadline, it is a ConnectError.
    throw withId(request.signal.aborted ? request.signal.reason : thrown, id);
  }
};

async function* identifiedMessages<T>(
  messages: AsyncIterable<T>,
  id: string,
): AsyncGenerator<T, void, undefined> {
  try {
    yield* messages;
  } catch (thrown) {
    throw withId(thrown, id);
  }
}

/** Returns the error of a call with its id, unless the server's answer has one. */
export function withId(thrown: unknown, id: string): ConnectError {
  const error = ConnectError.from(thrown);
  if (!error.metadata.has(requestIdHeader)) error.metadata.set(requestIdHeader, id);
  return error;
}

/** Returns a random UUID. Unlike `crypto.randomUUID`, works outside of secure contexts (https or localhost). */
export function uuid(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** Waits for `ms` milliseconds, until `signal` is aborted, or until the device is online again. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      globalThis.removeEventListener?.("online", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", done);
    globalThis.addEventListener?.("online", done);
    if (signal?.aborted) done();
  });
}
