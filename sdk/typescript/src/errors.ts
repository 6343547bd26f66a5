import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";

import { connectionProblem, type ConnectionProblem } from "./connection.js";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "./gen/google/rpc/error_details_pb.js";
import { ErrorReason, ErrorReasonSchema } from "./gen/vintedbot/v1/error_reason_pb.js";

/** A wrong field of a request. */
export interface FieldViolation {
  /** The path from the request's root, in proto names: `listing.title`. */
  field: string;
  /** The problem and the allowed values, in English. */
  description: string;
  /** The same for programs: the full name of a `Violation.Code`, such as `CODE_REQUIRED`. */
  code: string;
}

/** The decoded error of a call. */
export interface CallError {
  /** The gRPC code. */
  code: Code;
  /** An English description, which says what to do. */
  message: string;
  /** The reason, as the contract's enum. `UNSPECIFIED` if the reason is absent or unknown to this SDK. */
  reason: ErrorReason;
  /**
   * The reason as sent: `ERROR_REASON_NOT_FOUND`. Empty if the error is not from the server (lost connection, proxy).
   */
  reasonName: string;
  /** Details of the reason. The documentation of each reason names the keys. */
  metadata: Readonly<Record<string, string>>;
  /** All wrong fields. Empty if the error concerns no field. */
  violations: readonly FieldViolation[];
  /** The header `x-request-id` of the call, which is in the server's log. Empty if no call was made. */
  requestId: string;
  /** The wait in milliseconds after which a retry may succeed. Absent if the server gave none. */
  retryAfterMs?: number;
  /** Why the call got no answer from vintedbot. Absent if it got one, or if the connection broke during it. */
  problem?: ConnectionProblem;
}

/** The header with the id of a call. */
export const requestIdHeader = "x-request-id";

const reasons = new Map(ErrorReasonSchema.values.map((value) => [value.name, value.number as ErrorReason]));

/** Decodes a thrown value. An error that no call threw gets `Code.Unknown` and no reason. */
export function callError(thrown: unknown): CallError {
  const error = ConnectError.from(thrown);
  const info = error.findDetails(ErrorInfoSchema)[0];
  const retryDelay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  const reasonName = info?.reason ?? "";
  const problem = connectionProblem(error);
  return {
    code: error.code,
    message: error.rawMessage,
    reason: reasons.get(reasonName) ?? ErrorReason.UNSPECIFIED,
    reasonName,
    metadata: info?.metadata ?? {},
    violations: error
      .findDetails(BadRequestSchema)
      .flatMap((detail) => detail.fieldViolations)
      .map(({ field, description, reason }) => ({ field, description, code: reason })),
    requestId: error.metadata.get(requestIdHeader) ?? "",
    ...(retryDelay === undefined ? {} : { retryAfterMs: durationMs(retryDelay) }),
    ...(problem === undefined ? {} : { problem }),
  };
}

/** Returns whether a thrown value is an error of the server with one of these reasons. */
export function isReason(thrown: unknown, ...wanted: ErrorReason[]): boolean {
  const { reason, reasonName } = callError(thrown);
  return reasonName !== "" && wanted.includes(reason);
}

/**
 * Returns the descriptions of all wrong fields by their path, for a form. With `prefix`, such as `"listing"`, only
 * fields below it, without the prefix. The first description of a field counts. An error that concerns one name of the
 * catalogue, such as NAME_UNKNOWN, gives the message for that field.
 */
export function fieldErrors(thrown: unknown, prefix = ""): Record<string, string> {
  const start = prefix === "" ? "" : `${prefix}.`;
  const { violations, metadata, message } = callError(thrown);
  const found: Record<string, string> = {};
  for (const { field, description } of violations) {
    if (field.startsWith(start)) found[field.slice(start.length)] ??= description;
  }
  const named = metadata["field"];
  if (violations.length === 0 && named) found[named] = message;
  return found;
}
