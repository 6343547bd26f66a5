/** An instance of the built program in a temporary folder, in mock mode, with one person. */
import { execFileSync, type ChildProcess } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

import { startChild, stopChild } from "./child.js";

export interface Instance {
  baseUrl: string;
  /** An API token with all scopes. */
  token: string;
  /** The person who owns the workspace. */
  person: { email: string; password: string };
  /** Stops the program and removes its folder. */
  stop(): Promise<void>;
}

/** The program that `make build` builds; VINTEDBOT_BINARY names another one. */
const binary = resolve(process.env["VINTEDBOT_BINARY"] ?? "../../target/debug/vintedbot");

const person = { email: "anna@example.com", password: "nine quiet lamps near water" };

/** Starts an instance and waits until it listens. Pages of the given origins may call it. */
export async function startInstance(...allowedOrigins: string[]): Promise<Instance> {
  const folder = await mkdtemp(join(tmpdir(), "vintedbot-"));
  const options = {
    cwd: folder,
    env: {
      PATH: process.env["PATH"],
      LISTEN: "127.0.0.1:0",
      PRACTICE_LISTEN: "127.0.0.1:0",
      PRACTICE_BUYERS_INTERVAL: "0s",
      BROWSER: "off",
      ALLOWED_ORIGINS: allowedOrigins.join(","),
    },
  };
  const child = startChild(binary, ["serve"], { ...options, stdio: ["ignore", "pipe", "pipe"] });
  const stop = async (): Promise<void> => {
    await stopChild(child);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const address = await listening(child);
    execFileSync(binary, ["user", "create", "--email", person.email, "--password-stdin"], {
      ...options,
      input: person.password,
      stdio: ["pipe", "ignore", "inherit"],
    });
    const token = (await readFile(join(folder, "data", "api-token"), "utf8")).trim();
    return { baseUrl: `http://${address}`, token, person, stop };
  } catch (thrown) {
    await stop();
    throw thrown;
  }
}

/** Returns the address that the program prints before the line that begins with `try:`. */
async function listening(child: ChildProcess): Promise<string> {
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error("the output of the program is not piped");
  let log = "";
  stderr.on("data", (data: Buffer) => (log = (log + data.toString()).slice(-4_000)));
  const lines = createInterface(stdout);
  return new Promise((resolve, reject) => {
    let address = "";
    child.once("error", reject);
    child.once("exit", () => reject(new Error(`${binary} ended at once: ${log}`)));
    lines.on("line", (line) => {
      address = line.split("listens on http://")[1] ?? address;
      if (line.startsWith("try: ")) resolve(address);
    });
  });
}
