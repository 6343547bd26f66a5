/** The built program in mock mode, in a temporary folder, with its own practice site. */
import { execFileSync, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";

import { startChild, stopChild } from "./child.js";
import { PracticeSite } from "./practice-site.js";

/** The sign-in of a person. */
export interface Credentials {
  email: string;
  password: string;
}

/** The person whom `createOwner` creates. */
export const owner: Credentials = { email: "anna@example.com", password: "nine quiet lamps near water" };

/** A running program. */
export interface Program {
  url: string;
  site: PracticeSite;
  /** An API token with all scopes. */
  token: string;
  /** Creates the person `owner`, who owns the workspace. */
  createOwner(): void;
  /** Returns the text of a file in the data folder, without surrounding whitespace. */
  dataFile(name: string): Promise<string>;
  /** Returns the last lines of the output. */
  log(): string;
  /** Stops the program and removes its folder. */
  stop(): Promise<void>;
}

/** The root of the repository. Tests run in one of its folders. */
export const root = ((): string => {
  let folder = process.cwd();
  while (!existsSync(join(folder, "Cargo.lock"))) folder = dirname(folder);
  return folder;
})();

/** The program that `make build` builds; VINTEDBOT_BINARY names another one. */
const binary = process.env["VINTEDBOT_BINARY"] ?? join(root, "target/debug/vintedbot");

const startMs = 120_000;
const logMax = 8_000;

/** Starts the program and waits until it listens. */
export async function startProgram(
  settings: Record<string, string> = {},
  options: string[] = [],
): Promise<Program> {
  const folder = await mkdtemp(join(tmpdir(), "vintedbot-"));
  const { PATH = "", HOME = "", BROWSER_BINARY = "", CHROMEDRIVER = "" } = process.env;
  // Other settings of the caller's environment must not apply: they could name a real site.
  const env = {
    PATH,
    HOME,
    ...(BROWSER_BINARY === "" ? {} : { BROWSER_BINARY }),
    ...(CHROMEDRIVER === "" ? {} : { CHROMEDRIVER }),
    SESSION_MODE: "mock",
    LISTEN: "127.0.0.1:0",
    PRACTICE_LISTEN: "127.0.0.1:0",
    PRACTICE_BUYERS_INTERVAL: "0s",
    BROWSER: "off",
    ...settings,
  };
  const child = startChild(binary, ["serve", ...options], {
    cwd: folder,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const stop = async (): Promise<void> => {
    await stopChild(child);
    await rm(folder, { recursive: true, force: true });
  };
  let log = "";
  const dataFile = async (name: string): Promise<string> =>
    (await readFile(join(folder, "data", name), "utf8")).trim();
  try {
    const addresses = await listening(child, (text) => (log = (log + text).slice(-logMax)));
    return {
      url: addresses.server,
      site: new PracticeSite(addresses.practice),
      token: await dataFile("api-token"),
      createOwner() {
        execFileSync(binary, ["user", "create", "--email", owner.email, "--password-stdin"], {
          cwd: folder,
          env,
          input: owner.password,
          stdio: ["pipe", "ignore", "inherit"],
        });
      },
      dataFile,
      log: () => log,
      stop,
    };
  } catch (thrown) {
    await stop();
    throw new Error(`${String(thrown)}\n${log}`, { cause: thrown });
  }
}

/** Returns the addresses that the program prints before the line that begins with `try:`. */
function listening(
  child: ChildProcess,
  onOutput: (text: string) => void,
): Promise<{ server: string; practice: string }> {
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error("the output of the program is not piped");
  stderr.setEncoding("utf8").on("data", onOutput);
  const found = { server: "", practice: "" };
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", () => reject(new Error(`${binary} ended at its start`)));
    setTimeout(() => reject(new Error(`${binary} did not start in time`)), startMs).unref();
    createInterface(stdout).on("line", (line) => {
      onOutput(`${line}\n`);
      const [, kind, url = ""] = /(listens on|practice site:) (http:\S+)/.exec(line) ?? [];
      if (kind !== undefined) found[kind === "listens on" ? "server" : "practice"] = url;
      if (line.startsWith("try: ")) resolve(found);
    });
  });
}
