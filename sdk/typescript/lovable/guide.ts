import { readFile } from "node:fs/promises";

/** Lovable's knowledge field accepts 10,000 characters (docs.lovable.dev/features/knowledge, as seen 2026-11). */
const bytesMax = 10_000;

/** Returns the samples of the guide's block, by their path in a project. */
export async function samples(guide: string): Promise<Map<string, string>> {
  const text = await readFile(guide, "utf8");
  const blocks = [...text.matchAll(/^````\w*\n(.*?)^````$/gms)].map(([, block = ""]) => block);
  const [block = ""] = blocks;
  if (blocks.length !== 1) throw new Error(`${guide} has ${blocks.length} blocks to paste instead of one`);
  const bytes = Buffer.byteLength(block);
  if (bytes > bytesMax) {
    throw new Error(`the block of ${guide} has ${bytes} bytes; Lovable accepts ${bytesMax} characters`);
  }
  const found = [...block.matchAll(/^```tsx? file=(src\/[\w/.]+)\n(.*?)^```$/gms)];
  if (found.length === 0) throw new Error(`the block of ${guide} has no samples`);
  return new Map(found.map(([, path = "", code = ""]) => [path, code]));
}
