import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { lastLines } from "./command.js";

const startMs = 120_000;
const stopMs = 30_000;

/** A change on the practice site that it has accepted. */
interface SiteRecord {
  kind: string;
  seq: number;
  title?: string;
}

/** A running server in mock mode, with its own practice site and the example data of `make run`. */
export class Instance {
  private constructor(
    readonly url: string,
    readonly apiToken: string,
    readonly password: string,
    private readonly practiceUrl: string,
    private readonly stopProcess: () => Promise<void>,
    private readonly output: () => string,
  ) {}

  static async start(program: string, folder: string, settings: Record<string, string>): Promise<Instance> {
    const { PATH = "", HOME = "", BROWSER_BINARY = "", CHROMEDRIVER = "" } = process.env;
    const child = spawn(program, ["serve", "--seed"], {
      cwd: folder,
      // Other settings of the caller's environment must not apply: they could name a real site.
      env: {
        PATH,
        HOME,
        ...(BROWSER_BINARY === "" ? {} : { BROWSER_BINARY }),
        ...(CHROMEDRIVER === "" ? {} : { CHROMEDRIVER }),
        SESSION_MODE: "mock",
        LISTEN: "127.0.0.1:0",
        PRACTICE_LISTEN: "127.0.0.1:0",
        PRACTICE_BUYERS_INTERVAL: "0s",
        DATA_DIR: "data",
        BROWSER: "required",
        BROWSER_PACING: "0ms",
        ...settings,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const ended = once(child, "close");
    const stop = async (): Promise<void> => {
      const timer = setTimeout(() => child.kill("SIGKILL"), stopMs);
      child.kill("SIGTERM");
      await ended;
      clearTimeout(timer);
    };
    let output = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (output += text));
    const found: Record<string, string> = {};
    const started = new Promise<void>((resolve, reject) => {
      createInterface({ input: child.stdout }).on("line", (line) => {
        output += `${line}\n`;
        const [, kind = "", url = ""] = /(listens on|practice site:) (http:\S+)/.exec(line) ?? [];
        found[kind] = url;
        if (line.startsWith("try: ")) resolve();
      });
      ended.then(() => reject(new Error(`the server ended at its start:\n${lastLines(output)}`)), reject);
      setTimeout(
        () => reject(new Error(`the server did not start in time:\n${lastLines(output)}`)),
        startMs,
      ).unref();
    });
    try {
      await started;
      const secret = async (name: string): Promise<string> =>
        (await readFile(join(folder, "data", name), "utf8")).trim();
      return new Instance(
        found["listens on"] ?? "",
        await secret("api-token"),
        await secret("demo-password"),
        found["practice site:"] ?? "",
        stop,
        () => output,
      );
    } catch (thrown) {
      await stop();
      throw thrown;
    }
  }

  stop(): Promise<void> {
    return this.stopProcess();
  }

  /** Returns the last lines that the server printed and logged. */
  get log(): string {
    return lastLines(this.output());
  }

  /** Returns the titles of the items that were published after a record, from the practice site's own records. */
  async published(after = 0): Promise<string[]> {
    const records = (await this.#ask(`records?since=${after}`)) as SiteRecord[];
    return records.filter(({ kind }) => kind === "item_published").map(({ title = "" }) => title);
  }

  /** Returns the number of the practice site's last record. */
  async lastRecord(): Promise<number> {
    const records = (await this.#ask("records")) as SiteRecord[];
    return records.at(-1)?.seq ?? 0;
  }

  /** Makes the practice site show a captcha instead of the member's next listing form. */
  async askCaptcha(memberId: string): Promise<void> {
    await this.#ask("script", { on: "form", member: Number(memberId), times: 1, do: "captcha_page" });
  }

  /** Lets a buyer open a conversation with a member. Returns its id on the practice site. */
  async openConversation(memberId: string, buyer: string, text: string): Promise<number> {
    const { id } = (await this.#ask("conversations", { member_id: Number(memberId), buyer, text })) as {
      id: number;
    };
    return id;
  }

  /** Lets the buyer write in a conversation. */
  async write(conversationId: number, text: string): Promise<void> {
    await this.#ask(`conversations/${conversationId}`, { do: "write", text });
  }

  /** Counts the messages with a text in all conversations of a member. */
  async countMessages(memberId: string, text: string): Promise<number> {
    const conversations = (await this.#ask(`conversations?member_id=${memberId}`)) as {
      messages: unknown[];
    }[];
    const messages = conversations.flatMap((conversation) => conversation.messages);
    return messages.filter((message) => JSON.stringify(message).includes(text)).length;
  }

  async #ask(path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`${this.practiceUrl}/_practice/${path}`, {
      ...(body === undefined
        ? {}
        : { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`the practice site answered ${response.status} to ${path}`);
    return response.json();
  }
}
