/**
 * Compiles and runs the samples of the README with the packed package.
 *
 * A sample that begins with `ts` runs in Node, one with `ts browser` in a page of another origin than the server's, and
 * one with `ts browser same-origin` in a page behind the same reverse proxy as the server. A `tsx` sample exports `App`,
 * which a page renders. The files in `test/readme` contain the values that the samples take as given.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { inspect } from "node:util";

import { build } from "esbuild";
import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";

import { createVintedbot, PublishJob_State } from "../src/index.js";
import { chromiumLaunch } from "../testing/chromium.js";
import { startInstance, type Instance } from "./instance.js";
import { unpack } from "./packed.js";

/** The part of `readme/prelude.ts` that this test uses. */
interface Prelude {
  cursors: string[];
  leaving: AbortController;
  publishedState(): Promise<PublishJob_State>;
}

interface Sample {
  /** The name of its file: its heading and its number below that heading. */
  file: string;
  /** What follows the three backquotes. */
  info: string;
  code: string;
}

/** The address in the samples, which this test replaces by that of the instance. */
const documentedUrl = "http://127.0.0.1:50051";
const photo = resolve("../../proofs/data/faults/photos/01-orientation-short-control.jpg");
const linked = [
  ...["@bufbuild/protobuf", "@connectrpc/connect", "@connectrpc/connect-query", "@connectrpc/connect-web"],
  ...["@tanstack", "@types", "react", "react-dom", "scheduler", "csstype", "undici-types"],
];

/** What each sample for Node prints. */
const printed: Readonly<Record<string, readonly RegExp[]>> = {
  "connect-1.ts": [/^created [0-9a-f-]{36}$/],
  "watch-1.ts": [
    /^state: live$/,
    /^current: LISTING$/,
    /^the snapshot is complete$/,
    /^event: ACCOUNT_CREATED$/,
  ],
  "watch-2.ts": [],
  "upload-1.ts": [/^100 %$/, /^http.* was already stored$/],
  "errors-1.ts": [/^53 Nike$/m],
  "abort-time-out-and-retry-1.ts": [/^Canceled$/],
  "abort-time-out-and-retry-2.ts": [/^true$/],
  "pages-and-values-1.ts": [
    /^Sweat gris 15,00\s€ 20\d\d-.*Z$/,
    /^one message: .*'?minorUnits'?: '1500'/,
    /^any value: .*"minorUnits":"1500"/,
  ],
  "small-pages-and-own-transports-1.ts": [/^1$/],
  "small-pages-and-own-transports-2.ts": [/^anna@example\.com$/],
};

/** What the sample of errors prints for other values. */
const wrongInputs: readonly [given: Record<string, string>, line: RegExp][] = [
  [{ title: "ab ".repeat(40) }, /at most 100 are allowed$/],
  [{ accountId: crypto.randomUUID() }, /^.*account.* \([0-9a-f-]{36}\)$/],
];

const samples = samplesOf(readFileSync("README.md", "utf8"));

let folder: string;
let instance: Instance;
let server: Server;
let origin: string;
let browser: Browser;
let context: BrowserContext;

before(async () => {
  server = createServer((incoming, outgoing) => void serve(incoming, outgoing));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  instance = await startInstance(origin);
  folder = await mkdtemp(join(tmpdir(), "vintedbot-readme-"));
  await compile();
  Object.assign(process.env, {
    SAMPLES_URL: instance.baseUrl,
    SAMPLES_TOKEN: instance.token,
    SAMPLES_EMAIL: instance.person.email,
    SAMPLES_PASSWORD: instance.person.password,
    SAMPLES_PHOTO: photo,
  });
  browser = await chromium.launch(chromiumLaunch);
  context = await browser.newContext();
  context.setDefaultTimeout(60_000);
});

after(async () => {
  await browser?.close();
  server?.close();
  server?.closeAllConnections();
  await instance?.stop();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});

test("Node samples print what the README says", async (t) => {
  const prelude = await load<Prelude>("prelude.ts");
  const lines: string[] = [];
  const log = t.mock.method(console, "log", (...values: unknown[]) => lines.push(values.map(text).join(" ")));
  for (const { file } of samples.filter(({ info }) => info === "ts")) {
    const expected = printed[file];
    assert.ok(expected, `this test knows what ${file} prints`);
    lines.length = 0;
    const run = load(file);
    if (file === "watch-1.ts") await endWatch(prelude, lines);
    await run;
    const all = lines.join("\n");
    for (const line of expected)
      assert.ok(
        lines.some((found) => line.test(found)),
        `${file}: ${line} in\n${all}`,
      );
    assert.equal(lines.length === 0, expected.length === 0, `${file} prints\n${all}`);
  }
  for (const [given, line] of wrongInputs) {
    const values = globalThis as unknown as Record<string, string>;
    const before = Object.fromEntries(Object.keys(given).map((key) => [key, values[key] ?? ""]));
    lines.length = 0;
    Object.assign(values, given);
    await load("errors-1.ts", Object.keys(given).join());
    Object.assign(values, before);
    assert.match(lines.join("\n"), line);
  }
  log.mock.restore();
  assert.ok(prelude.cursors.length > 0, "the watch has cursors");
  assert.equal(await prelude.publishedState(), PublishJob_State.PUBLISHED);
});

test("page of the server's origin signs in with cookies", async () => {
  const page = await open("sign-in-2.ts");
  await page.waitForFunction(() => document.title === "page of anna");
  assert.equal(await page.evaluate(() => document.cookie), "", "scripts see no cookie");
  const names = (await context.cookies(origin)).map(({ name }) => name);
  assert.deepEqual(names.sort(), ["vb_access", "vb_refresh"]);
  await page.close();
});

test("page signs in with a second factor and stays signed in", async () => {
  const page = await open("sign-in-1.ts", await enableSecondFactor());
  await page.waitForFunction(() => document.title === "page of anna");
  await page.reload();
  await page.waitForFunction(() => document.body.dataset["ran"] === "true");
  assert.equal(await page.title(), "sample", "the page does not sign in again");
  await page.close();
});

test("rendered React sample follows the event log", async () => {
  const page = await open("react-1.tsx");
  await page.getByText("live", { exact: true }).waitFor();
  const listings = page.locator("li");
  await listings.first().waitFor();
  const count = await listings.count();
  await page.getByRole("button").click();
  await listings.nth(count).waitFor();
  await page.close();
});

test("each sample is of a known kind", () => {
  const kinds = new Set(samples.map(({ info }) => info));
  assert.deepEqual([...kinds].sort(), ["ts", "ts browser", "ts browser same-origin", "tsx"]);
});

function samplesOf(readme: string): Sample[] {
  const found: Sample[] = [];
  for (const section of readme.split(/^## /m).slice(1)) {
    const heading = (section.split("\n")[0] ?? "").toLowerCase().replaceAll(/[^a-z]+/g, "-");
    const blocks = [...section.matchAll(/^```(tsx?.*)\n([^]*?)^```$/gm)];
    for (const [index, [, info = "", code = ""]] of blocks.entries()) {
      found.push({ file: `${heading}-${index + 1}.${info.split(" ")[0]}`, info, code });
    }
  }
  return found;
}

/** Writes the samples, and checks their types with the settings of this package. */
async function compile(): Promise<void> {
  await unpack(folder, ...linked);
  await mkdir(join(folder, "src"));
  const write = (name: string, content: string): Promise<void> => writeFile(join(folder, name), content);
  await write("package.json", JSON.stringify({ type: "module" }));
  const options = { noEmit: false, rootDir: "src", outDir: "out", jsx: "react-jsx", types: ["node"] };
  const settings = { extends: resolve("tsconfig.json"), compilerOptions: options, include: ["src"] };
  await write("tsconfig.json", JSON.stringify(settings));
  for (const prelude of ["prelude", "page"]) {
    await copyFile(`test/readme/${prelude}.ts`, join(folder, `src/${prelude}.ts`));
  }
  for (const { file, code } of samples) {
    await write(`src/${file}`, code.replaceAll(documentedUrl, instance.baseUrl));
  }
  try {
    execFileSync(resolve("node_modules/.bin/tsc"), { cwd: folder, encoding: "utf8" });
  } catch (thrown) {
    throw new Error(`the samples do not compile:\n${(thrown as { stdout: string }).stdout}`);
  }
}

/** Runs a file, for each `query` once. */
async function load<T>(file: string, query = ""): Promise<T> {
  const url = pathToFileURL(join(folder, "out", file.replace(/\.ts$/, ".js")));
  url.search = query;
  return (await import(url.href)) as T;
}

/** Ends the sample's watch after an event. */
async function endWatch({ leaving }: Prelude, lines: string[]): Promise<void> {
  try {
    await until(() => lines.includes("the snapshot is complete"));
    const { accounts } = createVintedbot({ baseUrl: instance.baseUrl, auth: { token: instance.token } });
    await accounts.createAccount({ displayName: "Event", market: "fr" });
    await until(() => lines.some((line) => line.startsWith("event: ")));
  } finally {
    leaving.abort();
  }
}

async function until(condition: () => boolean): Promise<void> {
  for (const last = Date.now() + 60_000; !condition(); await sleep(50)) {
    assert.ok(Date.now() < last, condition.toString());
  }
}

/** Enables the second factor of the person, and returns a recovery code. */
async function enableSecondFactor(): Promise<string> {
  const { session, auth } = createVintedbot({ baseUrl: instance.baseUrl, auth: {} });
  await session.signIn(instance.person);
  const { secret } = await auth.enrollSecondFactor({ password: instance.person.password });
  const { recoveryCodes } = await auth.confirmSecondFactor({ code: currentCode(secret) });
  return recoveryCodes[0] ?? "";
}

/** Returns the code that an authenticator app shows now (RFC 6238) for a secret in base32. */
function currentCode(secret: string): string {
  const digits = [...secret].map((letter) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter));
  const bits = digits.map((digit) => digit.toString(2).padStart(5, "0")).join("");
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const hash = createHmac("sha1", key).update(counter).digest();
  const number = hash.readUInt32BE((hash.at(-1) ?? 0) & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, "0");
}

/** Opens the page of a sample. */
async function open(file: string, code = ""): Promise<Page> {
  const page = await context.newPage();
  const { accountId } = globalThis as unknown as { accountId: string };
  const given = { ...instance.person, accountId, code };
  await page.addInitScript((values) => Object.assign(globalThis, { given: values }), given);
  await page.goto(`${origin}/${file}`);
  return page;
}

/** Serves the pages, and passes calls on to the instance as a reverse proxy does. */
async function serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const path = incoming.url ?? "/";
  if (path.startsWith("/vintedbot.v1.")) {
    const { method = "GET", headers } = incoming;
    const passed = request(instance.baseUrl + path, { method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    passed.on("error", () => outgoing.destroy());
    incoming.pipe(passed);
  } else if (path.endsWith(".js")) {
    outgoing.setHeader("content-type", "text/javascript");
    outgoing.end(await bundled(path.slice(1, -".js".length)));
  } else {
    outgoing.setHeader("content-type", "text/html; charset=utf-8");
    outgoing.end(
      `<!doctype html><title>sample</title><body><script type="module" src="${path}.js"></script>`,
    );
  }
}

/** Returns the script of a page, which runs a sample or renders its `App`. */
async function bundled(file: string): Promise<string> {
  const sample = JSON.stringify(`./${file.replace(/\.tsx?$/, ".js")}`);
  const run = `import "./page.js";
    await import(${sample});
    document.body.dataset.ran = "true";`;
  const render = `import "./page.js";
    import { createElement } from "react";
    import { createRoot } from "react-dom/client";
    import { App } from ${sample};
    createRoot(document.body).render(createElement(App));`;
  const { outputFiles } = await build({
    stdin: {
      contents: file.endsWith(".tsx") ? render : run,
      resolveDir: join(folder, "out"),
    },
    bundle: true,
    format: "esm",
    write: false,
    logLevel: "warning",
  });
  return outputFiles[0]?.text ?? "";
}

/** Returns a printed value as one line. */
function text(value: unknown): string {
  return typeof value === "string" ? value : inspect(value, { breakLength: Infinity });
}
