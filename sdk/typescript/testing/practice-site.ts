/** A conversation on the practice site. */
export interface Conversation {
  id: number;
}

/** A change on the practice site that it has accepted. */
interface SiteRecord {
  kind: string;
  seq: number;
  title?: string;
}

/** The practice site from the side of its operator and of the buyers. */
export class PracticeSite {
  constructor(private readonly url: string) {}

  /** Lets a buyer open a conversation with a member. */
  async openConversation(memberId: string, buyer: string, text: string): Promise<Conversation> {
    const conversation = await this.#ask("conversations", { member_id: Number(memberId), buyer, text });
    return conversation as Conversation;
  }

  /** Lets something happen in a conversation, such as `{ do: "write", text: "Hello" }`. */
  async act({ id }: Conversation, action: Record<string, unknown>): Promise<void> {
    await this.#ask(`conversations/${id}`, action);
  }

  /** Adds a rule, such as an answer that is lost. */
  async script(rule: Record<string, unknown>): Promise<void> {
    await this.#ask("script", rule);
  }

  /** Counts the messages with a text in all conversations of a member. */
  async countMessages(memberId: string, text: string): Promise<number> {
    const conversations = (await this.#ask(`conversations?member_id=${memberId}`)) as {
      messages: unknown[];
    }[];
    const messages = conversations.flatMap((conversation) => conversation.messages);
    return messages.filter((message) => JSON.stringify(message).includes(JSON.stringify(text))).length;
  }

  /** Returns the titles of the items that were published after a record, from the site's own records. */
  async published(after = 0): Promise<string[]> {
    const records = (await this.#ask(`records?since=${after}`)) as SiteRecord[];
    return records.filter(({ kind }) => kind === "item_published").map(({ title = "" }) => title);
  }

  /** Returns the number of the last record. */
  async lastRecord(): Promise<number> {
    const records = (await this.#ask("records")) as SiteRecord[];
    return records.at(-1)?.seq ?? 0;
  }

  async #ask(path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`${this.url}/_practice/${path}`, {
      ...(body === undefined
        ? {}
        : { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
    });
    if (!response.ok) {
      throw new Error(`the practice site answered ${response.status} to ${path}: ${await response.text()}`);
    }
    return response.json();
  }
}
