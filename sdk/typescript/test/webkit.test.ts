/**
 * Tests the SDK in WebKit, the engine of Safari, in pages whose origin is not the server's. `make webkit` installs the
 * browser and builds the program that the test starts.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { resolve } from "node:path";
import { after, before, test } from "node:test";

import { build } from "esbuild";

import { createVintedbot } from "../src/index.js";
import { cuttingProxy } from "../testing/cutting-proxy.js";
import { startInstance, type Instance } from "./instance.js";
import { startWebKit, type WebKit } from "./web-driver.js";

const photo = resolve("../../proofs/data/faults/photos/01-orientation-short-control.jpg");
const listings = 5;
/** One more than the connections that a browser opens to one server over HTTP/1.1. */
const tabs = 7;

let instance: Instance;
let pages: Server;
let origin: string;
let browser: WebKit;

before(async () => {
  const bundle = await build({
    entryPoints: ["test/webkit-page.ts"],
    bundle: true,
    format: "iife",
    write: false,
    logLevel: "warning",
  });
  const page = `<!doctype html><title>SDK test</title><body>
    <ol id="listings"></ol><ol id="events"></ol>
    <p id="state"></p><p id="cursor"></p><p id="person"></p><p id="created"></p><p id="photo"></p><p id="error"></p>
    <input type="file" id="file"><button id="create">Create an account</button>
    <script>${bundle.outputFiles[0]?.text}</script>`;
  pages = createServer((_, response) => {
    response.setHeader("content-type", "text/html; charset=utf-8");
    response.end(page);
  });
  pages.listen(0, "127.0.0.1");
  await once(pages, "listening");
  origin = `http://127.0.0.1:${(pages.address() as AddressInfo).port}`;
  instance = await startInstance(origin);
  const vintedbot = createVintedbot({ baseUrl: instance.baseUrl, auth: { token: instance.token } });
  const { account } = await vintedbot.accounts.createAccount({ displayName: "Wardrobe", market: "fr" });
  for (let number = 1; number <= listings; number++) {
    await vintedbot.listings.createListing({
      accountId: account?.id ?? "",
      listing: { title: `Coat ${number}` },
    });
  }
  browser = await startWebKit();
});

after(async () => {
  await browser?.close();
  pages?.close();
  pages?.closeAllConnections();
  await instance?.stop();
});

function address(page = origin, baseUrl = instance.baseUrl, withPerson = false): string {
  const { token, person } = instance;
  const settings = { baseUrl, token, ...(withPerson ? { person } : {}) };
  return `${page}/#${encodeURIComponent(JSON.stringify(settings))}`;
}

/** Waits until an element of the current page contains a text, and returns all of its text. */
function shown(selector: string, text: string): Promise<string> {
  const content = (wanted: string, part: string): string => {
    const all = document.querySelector(wanted)?.textContent ?? "";
    return all.includes(part) ? all : "";
  };
  return browser.until(content, selector, text);
}

/** Creates an account by a call of the current page. A tab in the background has no layout to click on. */
async function createAccount(): Promise<string> {
  await browser.run(() => document.querySelector<HTMLElement>("#create")?.click());
  return String(await browser.until(() => document.querySelector("#created")?.textContent));
}

test("page lists, signs in, watches and uploads", async (t) => {
  t.diagnostic(`WebKitGTK ${browser.version}`);
  await browser.open(address(origin, instance.baseUrl, true));
  await browser.until((count) => document.querySelectorAll("#listings li").length === count, listings);
  await shown("#person", instance.person.email);
  await shown("#state", "live");

  await browser.type("#file", photo);
  const uploaded = await shown("#photo", "after 100 %");
  const [id = ""] = uploaded.split(" ");
  await shown("#events", `PHOTO_CREATED ${id}`);
  assert.equal(await browser.run(() => document.querySelector("#error")?.textContent), "");
});

test("lost connection resumes without a gap", async () => {
  const proxy = await cuttingProxy(new URL(instance.baseUrl));
  try {
    await browser.open("about:blank");
    await browser.open(address(origin, proxy.url));
    await browser.until(() => document.querySelector("#cursor")?.textContent);
    assert.ok(proxy.cut() > 0, "a connection is open");
    const created = `ACCOUNT_CREATED ${await createAccount()}`;
    const events = await shown("#events", created);
    assert.equal(events.split(created).length, 2, "the event arrives once");
  } finally {
    proxy.close();
  }
});

test("seven tabs share one stream", async () => {
  const handles: string[] = [];
  for (let tab = 1; tab <= tabs; tab++) {
    handles.push(await browser.newTab());
    await browser.open(address());
    await shown("#state", "live");
  }
  const id = await createAccount();
  for (const handle of handles) {
    await browser.show(handle);
    await shown("#events", `ACCOUNT_CREATED ${id}`);
  }
});

test("origin that is not allowed has its own problem", async () => {
  await browser.open("about:blank");
  await browser.open(address(origin.replace("127.0.0.1", "localhost")));
  const text = await shown("#error", "origin_not_allowed");
  assert.match(text, /ALLOWED_ORIGINS/);
});

test("server that is down has its own problem", async () => {
  const proxy = await cuttingProxy(new URL(instance.baseUrl));
  proxy.close();
  await browser.open("about:blank");
  await browser.open(address(origin, proxy.url));
  const text = await shown("#error", "unreachable");
  assert.match(text, /nothing answers at/);
});
