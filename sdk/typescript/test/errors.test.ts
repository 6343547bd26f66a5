import assert from "node:assert/strict";
import { test } from "node:test";

import { Code, ConnectError } from "@connectrpc/connect";

import { callError, ErrorReason } from "../src/index.js";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "../src/gen/google/rpc/error_details_pb.js";

test("server error has reason, metadata, violations and wait", () => {
  const thrown = new ConnectError("no", Code.InvalidArgument, undefined, [
    {
      desc: ErrorInfoSchema,
      value: { reason: "ERROR_REASON_VALIDATION_FAILED", domain: "vintedbot", metadata: { a: "b" } },
    },
    {
      desc: BadRequestSchema,
      value: {
        fieldViolations: [{ field: "listing.title", description: "too long", reason: "CODE_TOO_MANY" }],
      },
    },
    { desc: RetryInfoSchema, value: { retryDelay: { seconds: 1n, nanos: 500_000_000 } } },
  ]);
  assert.deepEqual(callError(thrown), {
    code: Code.InvalidArgument,
    message: "no",
    reason: ErrorReason.VALIDATION_FAILED,
    reasonName: "ERROR_REASON_VALIDATION_FAILED",
    metadata: { a: "b" },
    violations: [{ field: "listing.title", description: "too long", code: "CODE_TOO_MANY" }],
    retryAfterMs: 1500,
  });
});

test("unknown reason keeps its name", () => {
  const thrown = new ConnectError("no", Code.Aborted, undefined, [
    { desc: ErrorInfoSchema, value: { reason: "ERROR_REASON_OF_TOMORROW" } },
  ]);
  const error = callError(thrown);
  assert.equal(error.reason, ErrorReason.UNSPECIFIED);
  assert.equal(error.reasonName, "ERROR_REASON_OF_TOMORROW");
});

test("error that no call threw has no reason", () => {
  const error = callError(new Error("oops"));
  assert.equal(error.code, Code.Unknown);
  assert.equal(error.reasonName, "");
  assert.equal("retryAfterMs" in error, false);
});
