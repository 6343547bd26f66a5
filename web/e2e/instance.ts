/** An instance of the built program in a temporary folder, in mock mode, with one person and one account. */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

import { createVintedbot, type Vintedbot } from "@vintedbot/sdk";

/** The program that `make build` builds; VINTEDBOT_BINARY names another one. */
const binary = resolve(process.env["VINTEDBOT_BINARY"] ?? "../target/debug/vintedbot");

export const person = { email: "anna@example.com", password: "nine quiet lamps near water" };

export interface Conversation {
  /** The id on the practice site. */
  id: number;
  buyer: string;
}

/** A running instance, and its practice site from the buyers' side. */
export class Instance {
  accountId = "";
  #memberId = 0;

  private constructor(
    readonly url: string,
    readonly api: Vintedbot,
    private readonly practiceUrl: string,
    private readonly folder: string,
    private readonly child: ChildProcess,
  ) {}

  static async start(): Promise<Instance> {
    const folder = await mkdtemp(join(tmpdir(), "vintedbot-web-"));
    const options = {
      cwd: folder,
      env: {
        PATH: process.env["PATH"],
        LISTEN: "127.0.0.1:0",
        PRACTICE_LISTEN: "127.0.0.1:0",
        PRACTICE_BUYERS_INTERVAL: "0s",
        BROWSER: "off",
        SYNC_NOW_PER_MINUTE: "1000",
        EFFECTS_SETTLE: "4s",
        EFFECTS_SETTLE_POLL: "500ms",
      },
    };
    const child = spawn(binary, ["serve"], { ...options, stdio: ["ignore", "pipe", "pipe"] });
    const found = await started(child);
    execFileSync(binary, ["user", "create", "--email", person.email, "--password-stdin"], {
      ...options,
      input: person.password,
      stdio: ["pipe", "ignore", "inherit"],
    });
    const token = (await readFile(join(folder, "data", "api-token"), "utf8")).trim();
    const api = createVintedbot({ baseUrl: found.url, auth: { token } });
    const instance = new Instance(found.url, api, found.practiceUrl, folder, child);
    await instance.#createAccount();
    return instance;
  }

  async stop(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const ended = once(this.child, "exit");
      this.child.kill();
      await ended;
    }
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Lets a buyer write to the account, and reads the inbox. */
  async converse(buyer: string, text: string): Promise<Conversation> {
    const { id } = (await this.#practice("conversations", { member_id: this.#memberId, buyer, text })) as {
      id: number;
    };
    await this.sync();
    return { id, buyer };
  }

  /** Lets something happen in a conversation on the site, and reads the inbox. */
  async act(conversation: Conversation, action: Record<string, unknown>): Promise<void> {
    await this.#practice(`conversations/${conversation.id}`, action);
    await this.sync();
  }

  /** Adds a rule to the practice site, such as an answer that is lost. */
  async script(rule: Record<string, unknown>): Promise<void> {
    await this.#practice("script", rule);
  }

  async sync(): Promise<void> {
    await this.api.inbox.syncNow({ accountId: this.accountId });
  }

  /** Counts the messages with a text on the practice site. */
  async countOnSite(text: string): Promise<number> {
    const all = (await this.#practice(`conversations?member_id=${this.#memberId}`)) as {
      messages: unknown[];
    }[];
    const messages = JSON.stringify(all.map((one) => one.messages));
    return messages.split(JSON.stringify(text)).length - 1;
  }

  async #createAccount(): Promise<void> {
    const { account } = await this.api.accounts.createAccount({
      displayName: "Shop",
      market: "fr",
      language: "en",
    });
    this.accountId = account?.id ?? "";
    for (let attempt = 0; attempt < 50; attempt++) {
      await this.sync().catch(() => undefined);
      const { account: known } = await this.api.accounts.getAccount({ id: this.accountId });
      if (known?.memberId) {
        this.#memberId = Number(known.memberId);
        return;
      }
      await new Promise((next) => setTimeout(next, 200));
    }
    throw new Error("the account has no member");
  }

  async #practice(path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`${this.practiceUrl}/_practice/${path}`, {
      ...(body === undefined
        ? {}
        : { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
    });
    if (!response.ok)
      throw new Error(`the practice site answered ${response.status} to ${path}: ${await response.text()}`);
    return response.json();
  }
}

async function started(child: ChildProcess): Promise<{ url: string; practiceUrl: string }> {
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error("the output of the program is not piped");
  let log = "";
  stderr.on("data", (data: Buffer) => (log = (log + data.toString()).slice(-4_000)));
  const found: Record<string, string> = {};
  return new Promise((done, fail) => {
    child.once("error", fail);
    child.once("exit", () => fail(new Error(`${binary} ended at once: ${log}`)));
    createInterface(stdout).on("line", (line) => {
      const [, kind = "", url = ""] = /(listens on|practice site:) (http:\S+)/.exec(line) ?? [];
      found[kind] = url;
      if (line.startsWith("try: "))
        done({ url: found["listens on"] ?? "", practiceUrl: found["practice site:"] ?? "" });
    });
  });
}
