import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

import type { DescFile } from "@bufbuild/protobuf";
import { build } from "esbuild";

import { file_vintedbot_v1_error_reason } from "../src/gen/vintedbot/v1/error_reason_pb.js";
import { file_vintedbot_v1_event } from "../src/gen/vintedbot/v1/event_pb.js";

/** Most of it is Connect and protobuf (33 KB) and the descriptors of all resources, which events contain (21 KB). */
const limitKb = 64;

/** A page that lists and watches threads. */
const source = `
  import { createConnection, InboxService, Topic } from "./src/index.js";
  const { client, watch } = createConnection({ baseUrl: location.origin, auth: { token: "vb_test" } });
  const show = (id) => document.body.append(id);
  for (const { id } of (await client(InboxService).listThreads({})).threads) show(id);
  for await (const { message } of watch({ topics: [Topic.INBOX] })) {
    if (message.case === "event") show(message.value.resourceId);
  }`;

/** Returns the names of a file and of all files that it imports, as in `src/gen`. */
function imported(file: DescFile): string[] {
  return [file.name, ...file.dependencies.flatMap(imported)];
}

test("small page is small and has only what it uses", async (t) => {
  const { outputFiles, metafile } = await build({
    stdin: { contents: source, resolveDir: "." },
    bundle: true,
    format: "esm",
    minify: true,
    metafile: true,
    write: false,
    logLevel: "warning",
  });
  const [bundle] = outputFiles;
  const [output] = Object.values(metafile.outputs);
  assert.ok(bundle && output);
  const kb = (bytes: number): string => (bytes / 1_000).toFixed(1);
  const gzip = gzipSync(bundle.contents, { level: 9 }).length;
  t.diagnostic(`the page has ${kb(gzip)} KB gzip, ${kb(bundle.contents.length)} KB minified`);

  const parts = Object.entries(output.inputs).filter(([, { bytesInOutput }]) => bytesInOutput > 0);
  const groups = new Map<string, number>();
  for (const [path, { bytesInOutput }] of parts) {
    const group =
      /node_modules\/(@[^/]+\/[^/]+)/.exec(path)?.[1] ?? /src\/gen\/|src\//.exec(path)?.[0] ?? "page";
    groups.set(group, (groups.get(group) ?? 0) + bytesInOutput);
  }
  for (const [group, bytes] of groups) t.diagnostic(`${kb(bytes)} KB minified: ${group}`);

  const allowed = new Set([file_vintedbot_v1_event, file_vintedbot_v1_error_reason].flatMap(imported));
  const generated = parts.flatMap(([path]) => /src\/gen\/(.*)_pb\.ts$/.exec(path)?.[1] ?? []);
  assert.ok(generated.includes("vintedbot/v1/inbox"));
  assert.deepEqual(
    generated.filter((name) => !allowed.has(name) && name !== "google/rpc/error_details"),
    [],
  );
  assert.ok(!generated.includes("vintedbot/v1/catalog"));
  assert.ok(gzip <= limitKb * 1_000, `${kb(gzip)} KB gzip are more than ${limitKb} KB`);
});
