import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { test, type TestContext } from "node:test";

import { toJsonString } from "@bufbuild/protobuf";

import {
  callError,
  Code,
  create,
  createVintedbot,
  CreateUploadUrlRequestSchema,
  CreateUploadUrlResponseSchema,
  ErrorReason,
  UploadPhotoResponseSchema,
  type CallError,
} from "../src/index.js";
import { page, reply, requestOf, serve } from "./scripted-server.js";

const bytes = new Uint8Array(100_000).map((_, at) => at);
const stored = toJsonString(
  UploadPhotoResponseSchema,
  create(UploadPhotoResponseSchema, { photo: { id: "p1", width: 640 } }),
);

function json(response: ServerResponse, status: number, text: string): void {
  page(response, status, "application/json", text);
}

/** A server that gives an upload URL, and answers the uploads as the script says. `n` is the upload's number, from 1. */
async function scripted(t: TestContext, answer: (response: ServerResponse, n: number) => void) {
  let uploads = 0;
  const server = await serve((response, { path }) => {
    if (path === "/media/upload/x") answer(response, ++uploads);
    else reply(response, CreateUploadUrlResponseSchema, { url: `${server.url}/media/upload/x` });
  });
  t.after(() => server.close());
  const vintedbot = createVintedbot({ baseUrl: server.url, auth: { token: "vb_test" } });
  const puts = () => server.heard.filter(({ path }) => path === "/media/upload/x");
  return { vintedbot, heard: server.heard, puts };
}

async function failure(call: Promise<unknown>): Promise<CallError> {
  return call.then(() => assert.fail("the upload must fail"), callError);
}

test("photo is announced, sent and returned", async (t) => {
  const { vintedbot, heard, puts } = await scripted(t, (response) => json(response, 200, stored));
  const progress: [number, number][] = [];
  const { photo } = await vintedbot.uploadPhoto(new File([bytes], "front.jpg"), {
    onProgress: (sent, total) => progress.push([sent, total]),
  });
  assert.deepEqual([photo?.id, photo?.width], ["p1", 640]);
  const announced = requestOf(CreateUploadUrlRequestSchema, heard[0]!);
  assert.deepEqual([announced.fileName, announced.sizeBytes], ["front.jpg", 100_000n]);
  assert.equal(puts()[0]?.headers["content-length"], "100000");
  assert.equal(puts()[0]?.headers.authorization, undefined, "the URL is the credential");
  assert.deepEqual(progress, [[100_000, 100_000]]);
});

test("given name replaces that of the file", async (t) => {
  const { vintedbot, heard } = await scripted(t, (response) => json(response, 200, stored));
  await vintedbot.uploadPhoto(new Blob([bytes]));
  await vintedbot.uploadPhoto(new File([bytes], "a.jpg"), { fileName: "b.jpg" });
  const names = [heard[0]!, heard[2]!].map((one) => requestOf(CreateUploadUrlRequestSchema, one).fileName);
  assert.deepEqual(names, ["", "b.jpg"]);
});

test("refused photo has its reason and metadata", async (t) => {
  const text = JSON.stringify({
    code: "INVALID_ARGUMENT",
    message: "a photo may have at most 9 bytes",
    reason: "ERROR_REASON_PHOTO_TOO_LARGE",
    metadata: { max_bytes: "9" },
  });
  const { vintedbot, puts } = await scripted(t, (response) => json(response, 413, text));
  const error = await failure(vintedbot.uploadPhoto(new Blob([bytes])));
  assert.equal(error.code, Code.InvalidArgument);
  assert.equal(error.reason, ErrorReason.PHOTO_TOO_LARGE);
  assert.equal(error.message, "a photo may have at most 9 bytes");
  assert.deepEqual(error.metadata, { max_bytes: "9" });
  assert.equal(error.problem, undefined);
  assert.equal(puts().length, 1);
  assert.equal(error.requestId, puts()[0]?.headers["x-request-id"]);
  assert.match(error.requestId, /^[0-9a-f-]{36}$/);
});

const interruptions: Record<string, (response: ServerResponse) => void> = {
  "a broken connection": (response) => response.destroy(),
  "a proxy's 502": (response) => page(response, 502),
  "a server that shuts down": (response) =>
    json(response, 503, '{"code":"UNAVAILABLE","message":"no","reason":"ERROR_REASON_UNAVAILABLE"}'),
};
for (const [name, interrupt] of Object.entries(interruptions)) {
  test(`upload is repeated after ${name}`, async (t) => {
    const { vintedbot, puts } = await scripted(t, (response, n) =>
      n < 3 ? interrupt(response) : json(response, 200, stored),
    );
    assert.equal((await vintedbot.uploadPhoto(new Blob([bytes]))).photo?.id, "p1");
    assert.equal(puts().length, 3);
    assert.equal(new Set(puts().map(({ headers }) => headers["x-request-id"])).size, 1);
  });

  test(`third upload after ${name} is the last`, async (t) => {
    const { vintedbot, puts } = await scripted(t, interrupt);
    const { code, requestId } = await failure(vintedbot.uploadPhoto(new Blob([bytes])));
    assert.equal(code, Code.Unavailable);
    assert.equal(puts().length, 3);
    assert.equal(requestId, puts()[0]?.headers["x-request-id"]);
  });
}

for (const [status, contentType, text, problem] of [
  [413, "text/html", "<p>too large", "proxy"],
  [403, "", "", "proxy"],
  [404, "text/html", "<p>nothing here", "not_vintedbot"],
  [200, "text/html", "<p>welcome", "not_vintedbot"],
  [200, "application/json", "{}", "not_vintedbot"],
  [200, "application/json", '{"photo":1}', "not_vintedbot"],
  [404, "application/json", "null", "not_vintedbot"],
  [404, "application/json", '{"error":"no"}', "not_vintedbot"],
] as const) {
  test(`${status} with "${text}" is a problem and not repeated`, async (t) => {
    const { vintedbot, puts } = await scripted(t, (response) => page(response, status, contentType, text));
    const error = await failure(vintedbot.uploadPhoto(new Blob([bytes])));
    assert.equal(error.problem, problem);
    assert.equal(error.code, Code.Unknown);
    assert.equal(error.reasonName, "");
    assert.equal(puts().length, 1);
  });
}

test("abort ends an upload", async (t) => {
  const abort = new AbortController();
  const { vintedbot, puts } = await scripted(t, () => abort.abort());
  const { code } = await failure(vintedbot.uploadPhoto(new Blob([bytes]), { signal: abort.signal }));
  assert.equal(code, Code.Canceled);
  assert.equal(puts().length, 1);
});

test("abort during the wait ends an upload", async (t) => {
  const abort = new AbortController();
  const { vintedbot, puts } = await scripted(t, (response) => {
    page(response, 502);
    setTimeout(() => abort.abort(), 20);
  });
  const { code } = await failure(vintedbot.uploadPhoto(new Blob([bytes]), { signal: abort.signal }));
  assert.equal(code, Code.Canceled);
  assert.equal(puts().length, 1);
});
