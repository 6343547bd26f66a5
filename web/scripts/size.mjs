/**
 * Compares the size of each route with its limit: the JavaScript and CSS of Vite's manifest that the entry and the page
 * import statically, and one language, in kB after gzip -9.
 */
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const dist = new URL("../dist/", import.meta.url);
const manifest = JSON.parse(readFileSync(new URL(".vite/manifest.json", dist), "utf8"));

const entry = "index.html";
const language = "src/i18n/fr.ts";
const app = "src/app/App.tsx";
const inbox = [app, "src/features/inbox/InboxPage.tsx"];
const limits = { login: 110, inbox: 180, route: 60 };

/** Returns the files of a module and of everything that it imports statically. */
function filesOf(names) {
  const files = new Set();
  const seen = new Set();
  const visit = (name) => {
    if (seen.has(name)) return;
    seen.add(name);
    const chunk = manifest[name];
    if (chunk === undefined) throw new Error(`the manifest has no ${name}`);
    files.add(chunk.file);
    for (const css of chunk.css ?? []) files.add(css);
    for (const imported of chunk.imports ?? []) visit(imported);
  };
  names.forEach(visit);
  return files;
}

function kilobytes(files) {
  const bytes = [...files].map((file) => gzipSync(readFileSync(new URL(file, dist)), { level: 9 }).length);
  return bytes.reduce((sum, size) => sum + size, 0) / 1000;
}

const base = [entry, language];
const rows = [
  ["login", kilobytes(filesOf([...base, "src/features/signin/SignIn.tsx"])), limits.login],
  ["inbox", kilobytes(filesOf([...base, ...inbox])), limits.inbox],
];
const shared = kilobytes(filesOf([...base, app]));
for (const name of Object.keys(manifest)) {
  const isPage = /^src\/features\/.*Page\.tsx$/.test(name) && !inbox.includes(name);
  if (isPage)
    rows.push([
      `${name.split("/")[2]} (beyond the shell)`,
      kilobytes(filesOf([...base, app, name])) - shared,
      limits.route,
    ]);
}
let failed = 0;
for (const [name, size, limit] of rows) {
  const isOver = size > limit;
  failed += isOver ? 1 : 0;
  console.log(
    `${name.padEnd(28)} ${size.toFixed(1).padStart(6)} kB of ${limit}${isOver ? "  TOO LARGE" : ""}`,
  );
}
console.log(
  `login, with the SDK that loads behind the form: ${kilobytes(filesOf([...base, "src/features/signin/SignIn.tsx", "src/data/session.ts"])).toFixed(1)} kB`,
);
console.log(`size: ${rows.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
