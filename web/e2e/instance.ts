/** An instance of the built program in mock mode, with one person and one account. */
import { createVintedbot, type Vintedbot } from "@vintedbot/sdk";

import type { Conversation, PracticeSite } from "../../sdk/typescript/testing/practice-site";
import { startProgram, type Program } from "../../sdk/typescript/testing/program";

/** A running instance, and its practice site from the buyers' side. */
export class Instance {
  readonly url: string;
  readonly api: Vintedbot;
  readonly site: PracticeSite;
  accountId = "";
  #memberId = "";

  private constructor(private readonly program: Program) {
    this.url = program.url;
    this.site = program.site;
    this.api = createVintedbot({ baseUrl: program.url, auth: { token: program.token } });
  }

  static async start(): Promise<Instance> {
    const instance = new Instance(
      await startProgram({
        SYNC_NOW_PER_MINUTE: "1000",
        EFFECTS_SETTLE: "4s",
        EFFECTS_SETTLE_POLL: "500ms",
      }),
    );
    instance.program.createOwner();
    await instance.#createAccount();
    return instance;
  }

  stop(): Promise<void> {
    return this.program.stop();
  }

  /** Lets a buyer write to the account, and reads the inbox. */
  async converse(buyer: string, text: string): Promise<Conversation> {
    const conversation = await this.site.openConversation(this.#memberId, buyer, text);
    await this.sync();
    return conversation;
  }

  /** Lets something happen in a conversation on the site, and reads the inbox. */
  async act(conversation: Conversation, action: Record<string, unknown>): Promise<void> {
    await this.site.act(conversation, action);
    await this.sync();
  }

  async sync(): Promise<void> {
    await this.api.inbox.syncNow({ accountId: this.accountId });
  }

  /** Counts the messages with a text on the practice site. */
  countOnSite(text: string): Promise<number> {
    return this.site.countMessages(this.#memberId, text);
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
        this.#memberId = known.memberId;
        return;
      }
      await new Promise((next) => setTimeout(next, 200));
    }
    throw new Error("the account has no member");
  }
}
