/** Stores each text of `dist` compressed beside it, so that the server need not compress it for each request. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const dist = new URL("../dist/", import.meta.url);
const text = /\.(css|html|js|json|svg)$/;

for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !text.test(entry.name)) continue;
  const path = `${entry.parentPath}/${entry.name}`;
  const content = readFileSync(path);
  const options = { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } };
  store(`${path}.br`, brotliCompressSync(content, options), content);
  store(`${path}.gz`, gzipSync(content, { level: 9 }), content);
}

/**
 * @param {string} path
 * @param {Buffer} compressed
 * @param {Buffer} content
 */
function store(path, compressed, content) {
  if (compressed.length < content.length) writeFileSync(path, compressed);
}
