import { Code } from "@connectrpc/connect";

import type { CallError } from "./errors.js";

/**
 * Returns whether a retry would only give the same error. An error without a reason comes from the connection, not from
 * the server.
 */
export function isFinal(error: CallError): boolean {
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

/** Waits for `ms` milliseconds, or until `signal` is aborted. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
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
