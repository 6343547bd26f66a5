import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";

import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "./gen/google/rpc/error_details_pb.js";
import { ErrorReason, ErrorReasonSchema } from "./gen/vintedbot/v1/error_reason_pb.js";

/** A field of a request that the server found fault with. */
export interface FieldViolation {
  /** Path from the request's top, in proto names: `listing.title`. */
  field: string;
  /** What is wrong and what would be right, in English. */
  description: string;
  /** The same for programs: full name of a `Violation.Code`, like `CODE_REQUIRED`. */
  code: string;
}

/** A refused or failed call, taken apart. */
export interface CallError {
  /** The gRPC code. */
  code: Code;
  /** What happened, in English. */
  message: string;
  /** Why, as the contract's enum. `UNSPECIFIED`: the server did not say, or says something newer than this SDK. */
  reason: ErrorReason;
  /** Why, as it was sent: `ERROR_REASON_NOT_FOUND`. Empty: not by our server (a cut line, a proxy in between). */
  reasonName: string;
  /** What belongs to the reason; each reason's documentation names its keys. */
  metadata: Readonly<Record<string, string>>;
  /** All fields at fault. Empty: no field is. */
  violations: readonly FieldViolation[];
  /** After how many milliseconds trying again may help. Absent: the server did not say. */
  retryAfterMs?: number;
}

const reasons = new Map(ErrorReasonSchema.values.map((value) => [value.name, value.number as ErrorReason]));

/** Takes apart whatever a call threw. An error that no call threw comes out with `Code.Unknown` and no reason. */
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
