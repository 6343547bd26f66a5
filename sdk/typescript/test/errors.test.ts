import assert from "node:assert/strict";
import { test } from "node:test";

import { Code, ConnectError } from "@connectrpc/connect";

import { callError, ErrorReason, fieldErrors, isReason } from "../src/index.js";
import { connectionError } from "../src/connection.js";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "../src/gen/google/rpc/error_details_pb.js";

test("server error has reason, metadata, violations and wait", () => {
  const thrown = new ConnectError("no", Code.InvalidArgument, { "x-request-id": "r1" }, [
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
    requestId: "r1",
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
  assert.equal(error.requestId, "");
  assert.equal("retryAfterMs" in error, false);
  assert.equal("problem" in error, false);
});

test("lost connection has a problem and no reason", () => {
  const thrown = connectionError("unreachable", "nothing answers");
  const { problem, code, reasonName } = callError(thrown);
  assert.deepEqual([problem, code, reasonName], ["unreachable", Code.Unavailable, ""]);
  assert.equal(callError(callError(thrown)).problem, undefined, "it belongs to the error");
});

test("reason is one of those asked for", () => {
  const of = (reason: string): ConnectError =>
    new ConnectError("no", Code.NotFound, undefined, [{ desc: ErrorInfoSchema, value: { reason } }]);
  assert.equal(isReason(of("ERROR_REASON_NOT_FOUND"), ErrorReason.RATE_LIMITED, ErrorReason.NOT_FOUND), true);
  assert.equal(isReason(of("ERROR_REASON_NOT_FOUND"), ErrorReason.RATE_LIMITED), false);
  assert.equal(isReason(of("ERROR_REASON_NOT_FOUND")), false);
  assert.equal(isReason(new Error("oops"), ErrorReason.UNSPECIFIED), false);
  assert.equal(isReason(undefined, ErrorReason.NOT_FOUND), false);
});

test("field errors are named as the form's fields", () => {
  const fieldViolations = [
    { field: "listing.title", description: "is too long" },
    { field: "listing.title", description: "has words in capitals" },
    { field: "listing.price.minor_units", description: "must be positive" },
    { field: "listings.title", description: "is another field" },
    { field: "account_id", description: "is not a UUID" },
  ];
  const thrown = new ConnectError("no", Code.InvalidArgument, undefined, [
    { desc: BadRequestSchema, value: { fieldViolations } },
  ]);
  assert.deepEqual(fieldErrors(thrown, "listing"), {
    title: "is too long",
    "price.minor_units": "must be positive",
  });
  assert.deepEqual(Object.keys(fieldErrors(thrown)), [
    "listing.title",
    "listing.price.minor_units",
    "listings.title",
    "account_id",
  ]);
  assert.deepEqual(fieldErrors(new Error("oops")), {});
  const unknown = new ConnectError("no brand is called X", Code.InvalidArgument, undefined, [
    { desc: ErrorInfoSchema, value: { reason: "ERROR_REASON_NAME_UNKNOWN", metadata: { field: "brand" } } },
  ]);
  assert.deepEqual(fieldErrors(unknown, "listing"), { brand: "no brand is called X" });
});
