/**
 * Installs the packed package into a new Vite and React project and into a new Node project, with the peer dependencies
 * that npm adds. Both projects call an instance. The test needs npm's registry, or a cache of it.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";

import { build } from "esbuild";
import { chromium } from "playwright-core";

import { chromiumLaunch } from "../testing/chromium.js";
import { startInstance, type Instance } from "./instance.js";
import { pack, unpack, type Tarball } from "./packed.js";

const vite = ["vite@8.4.0", "@vitejs/plugin-react@6.3.0"];
const photo = resolve("../../proofs/data/faults/photos/01-orientation-short-control.jpg");
const tsc = resolve("node_modules/.bin/tsc");

let folder: string;
let tarball: Tarball;
let pages: Server;
let origin: string;
let instance: Instance;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "vintedbot-package-"));
  tarball = await pack(folder);
  pages = createServer((request, response) => {
    const file = request.url === "/" ? "index.html" : (request.url ?? "");
    readFile(join(folder, "vite/dist", file)).then(
      (content) => {
        response.setHeader("content-type", extname(file) === ".js" ? "text/javascript" : "text/html");
        response.end(content);
      },
      () => response.writeHead(404).end(),
    );
  });
  pages.listen(0, "127.0.0.1");
  await once(pages, "listening");
  origin = `http://127.0.0.1:${(pages.address() as AddressInfo).port}`;
  instance = await startInstance(origin);
});

after(async () => {
  pages?.close();
  pages?.closeAllConnections();
  await instance?.stop();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});

test("package contains code and types only", () => {
  const others = tarball.files.filter((file) => !/^dist\/.*\.(js|d\.ts)$/.test(file));
  assert.deepEqual(others.sort(), ["README.md", "package.json"]);
});

test("Node project without optional peers calls the server", async () => {
  const project = await install("node", installed("@types/node"));
  const modules = await readdir(join(project, "node_modules"));
  assert.deepEqual(
    modules.filter((name) => name.includes("react")),
    [],
  );
  run(project, tsc);
  const { baseUrl, token, person } = instance;
  run(project, process.execPath, "main.js", baseUrl, token, person.email, person.password, photo);
});

test("Vite project builds without warnings and runs", async () => {
  const peers = ["react", "react-dom", "@tanstack/react-query", "@connectrpc/connect-query"];
  const project = await install(
    "vite",
    ...vite,
    ...[...peers, "@types/react", "@types/react-dom"].map(installed),
  );
  const { baseUrl, token } = instance;
  await writeFile(join(project, ".env"), `VITE_API_BASE_URL=${baseUrl}\nVITE_TOKEN=${token}\n`);
  run(project, tsc);
  const output = run(project, "npx", "vite", "build");
  assert.doesNotMatch(output, /warn|sourcemap/i);

  const browser = await chromium.launch(chromiumLaunch);
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(60_000);
    await page.goto(origin);
    await page.getByText("live", { exact: true }).waitFor();
    await page.getByText("Node", { exact: true }).waitFor();
  } finally {
    await browser.close();
  }
});

test("bundles have the documented sizes", async () => {
  await unpack(join(folder, "sizes"), "@bufbuild/protobuf", "@connectrpc/connect", "@connectrpc/connect-web");
  const options = 'import.meta.url, auth: { tokens: "cookies" }';
  const all = await compressedKb(`import { createVintedbot } from "@vintedbot/sdk";
    console.log(createVintedbot({ baseUrl: ${options} }));`);
  const one = await compressedKb(`import { createConnection, ListingService } from "@vintedbot/sdk";
    console.log(createConnection({ baseUrl: ${options} }).client(ListingService));`);
  const documented = /(\d+) kB instead of (\d+) kB/.exec(readFileSync("README.md", "utf8"));
  for (const [index, measured] of [one, all].entries()) {
    const kb = Number(documented?.[index + 1]);
    assert.ok(Math.abs(kb - measured) <= 2, `README: ${kb} kB; measured: ${one} kB instead of ${all} kB`);
  }
});

/** Installs the package and others into a copy of a project, and returns its folder. */
async function install(name: "node" | "vite", ...others: string[]): Promise<string> {
  const project = join(folder, name);
  await cp(`test/projects/${name}`, project, { recursive: true });
  await writeFile(join(project, "package.json"), JSON.stringify({ private: true, type: "module" }));
  run(
    project,
    "npm",
    "install",
    "--prefer-offline",
    "--no-audit",
    "--no-fund",
    "--save-exact",
    tarball.path,
    ...others,
  );
  return project;
}

/** Returns the name and version of a package that this package is developed with. */
function installed(name: string): string {
  const { version } = JSON.parse(readFileSync(`node_modules/${name}/package.json`, "utf8")) as {
    version: string;
  };
  return `${name}@${version}`;
}

/** Runs a command, and returns everything that it printed. */
function run(cwd: string, command: string, ...args: string[]): string {
  try {
    return execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  } catch (thrown) {
    const { stdout, stderr } = thrown as { stdout: string; stderr: string };
    throw new Error(`${command} ${args[0] ?? ""} failed:\n${stdout}${stderr}`);
  }
}

/** Returns the size of a minified and compressed bundle in kilobytes. */
async function compressedKb(code: string): Promise<number> {
  const { outputFiles } = await build({
    stdin: { contents: code, resolveDir: join(folder, "sizes") },
    bundle: true,
    minify: true,
    format: "esm",
    write: false,
  });
  return Math.round(gzipSync(outputFiles[0]?.contents ?? "").length / 1000);
}
