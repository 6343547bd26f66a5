/** A WebKit browser that a test drives over the WebDriver protocol (https://www.w3.org/TR/webdriver2/). */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { access, readdir } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

import { startChild, stopChild } from "../testing/child.js";

/** The key of an element's id in answers; the protocol defines it. */
const elementKey = "element-6066-11e4-a52e-4f735466cecf";

export interface WebKit {
  version: string;
  open(url: string): Promise<void>;
  /** Opens a tab, which becomes the current one, and returns its handle. */
  newTab(): Promise<string>;
  /** Makes a tab the current one. */
  show(handle: string): Promise<void>;
  /** Returns the result of a function that runs in the page. It can use nothing from outside itself. */
  run<A extends unknown[], T>(code: (...args: A) => T, ...args: A): Promise<T>;
  /** Waits until a function that runs in the page returns a truthy value, and returns the value. */
  until<A extends unknown[], T>(code: (...args: A) => T, ...args: A): Promise<T>;
  /** Types into an element. A file input takes a path. */
  type(selector: string, text: string): Promise<void>;
  close(): Promise<void>;
}

/** Starts Debian's WebKitGTK on a virtual screen, because it has no mode without one. */
export async function startWebKit(): Promise<WebKit> {
  const started: ChildProcess[] = [];
  const end = async (): Promise<void> => {
    for (const child of started.reverse()) await stopChild(child);
  };
  try {
    const screen = startChild(
      "Xvfb",
      ["-displayfd", "3", "-screen", "0", "1280x800x24", "-nolisten", "tcp"],
      {
        stdio: ["ignore", "ignore", "ignore", "pipe"],
      },
    );
    started.push(screen);
    const port = await freePort();
    const driver = startChild("WebKitWebDriver", [`--port=${port}`], {
      env: {
        ...process.env,
        DISPLAY: await displayOf(screen),
        GDK_BACKEND: "x11",
        LIBGL_ALWAYS_SOFTWARE: "1",
      },
      stdio: "ignore",
    });
    started.push(driver);
    return await session(`http://127.0.0.1:${port}`, end);
  } catch (thrown) {
    await end();
    throw thrown;
  }
}

/** Returns the name of a virtual screen, which it writes to its fourth stream when it is ready. */
async function displayOf(screen: ChildProcess): Promise<string> {
  const output = screen.stdio[3] as Readable;
  const ended = once(screen, "exit").then(() => {
    throw new Error("Xvfb ended at once: `make webkit` installs it");
  });
  const [display] = (await Promise.race([once(output, "data"), ended])) as [Buffer];
  ended.catch(() => undefined);
  return `:${display.toString().trim()}`;
}

async function session(driverUrl: string, end: () => Promise<void>): Promise<WebKit> {
  await untilReady(driverUrl);
  const options = { binary: await miniBrowser(), args: ["--automation"] };
  const { sessionId, capabilities } = await call<{
    sessionId: string;
    capabilities: { browserVersion: string };
  }>("POST", `${driverUrl}/session`, {
    capabilities: { alwaysMatch: { "webkitgtk:browserOptions": options } },
  });
  const base = `${driverUrl}/session/${sessionId}`;
  const post = <T>(path: string, body: unknown): Promise<T> => call<T>("POST", `${base}/${path}`, body);
  const element = async (selector: string): Promise<string> => {
    const found = await post<Record<string, string>>("element", { using: "css selector", value: selector });
    return `element/${found[elementKey]}`;
  };
  const run: WebKit["run"] = (code, ...args) =>
    post("execute/sync", { script: `return (${code.toString()})(...arguments)`, args });
  return {
    version: capabilities.browserVersion,
    run,
    async open(url) {
      await post("url", { url });
    },
    async newTab() {
      const { handle } = await post<{ handle: string }>("window/new", { type: "tab" });
      await post("window", { handle });
      return handle;
    },
    async show(handle) {
      await post("window", { handle });
    },
    async until(code, ...args) {
      for (const last = Date.now() + 60_000; ;) {
        const value = await run(code, ...args);
        if (value) return value;
        if (Date.now() > last) {
          const text = await run(() => document.body.innerText);
          throw new Error(`${code.toString()} stays ${String(value)} in this page:\n${text}`);
        }
        await sleep(50);
      }
    },
    async type(selector, text) {
      await post(`${await element(selector)}/value`, { text });
    },
    async close() {
      await call("DELETE", base).catch(() => undefined);
      await end();
    },
  };
}

async function untilReady(driverUrl: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await call("GET", `${driverUrl}/status`);
      return;
    } catch (thrown) {
      if (attempt === 100) throw thrown;
      await sleep(100);
    }
  }
}

async function call<T>(method: string, url: string, body?: unknown): Promise<T> {
  const response = await fetch(url, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const { value } = (await response.json()) as { value: T & { error: string; message: string } };
  if (!response.ok) throw new Error(`${method} ${new URL(url).pathname}: ${value.error}: ${value.message}`);
  return value;
}

/** Returns the path of the browser, which Debian installs with the library, in the folder of its architecture. */
async function miniBrowser(): Promise<string> {
  for (const architecture of await readdir("/usr/lib")) {
    const path = join("/usr/lib", architecture, "webkit2gtk-4.1/MiniBrowser");
    const exists = await access(path).then(
      () => true,
      () => false,
    );
    if (exists) return path;
  }
  throw new Error("MiniBrowser is not installed: `make webkit` installs it");
}

/** Returns a free port, because the driver needs a port number. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
