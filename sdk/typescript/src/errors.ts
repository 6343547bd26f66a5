import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";

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
  /** An English description. */
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
  /** The wait in milliseconds after which a retry may succeed. Absent if the server gave none. */
  retryAfterMs?: number;
}

const reasons = new Map(ErrorReasonSchema.values.map((value) => [value.name, value.number as ErrorReason]));

/** Decodes a thrown value. An error that no call threw gets `Code.Unknown` and no reason. */
export function callError(thrown: unknown): CallError {
  const error = ConnectError.from(thrown);
  const info = error.findDetails(ErrorInfoSchema)[0];
  const retryDelay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  const reasonName = info?.reason ?? "";
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
    ...(retryDelay === undefined ? {} : { retryAfterMs: durationMs(retryDelay) }),
  };
}
