import {
  ResourceType,
  uuid,
  type Account,
  type Event,
  type Message,
  type Reply,
  type Thread,
  type User,
  type UserSession,
} from "@vintedbot/sdk";

import { Commands } from "./command";
import { Records } from "./records";

/** All resources that the console knows, with the commands that change them. */
export class Resources {
  readonly accounts = new Records<Account>();
  readonly threads = new Records<Thread>();
  readonly messages = new Records<Message>();
  readonly replies = new Records<Reply>();
  readonly users = new Records<User>();
  readonly sessions = new Records<UserSession>();
  readonly threadCommands = new Commands(this.threads, uuid);

  /** Applies an event of the log. */
  apply(event: Event): void {
    const { resource } = event;
    const content = resource?.resource;
    if (content?.value === undefined) {
      this.#remove(event);
      return;
    }
    switch (content.case) {
      case "account":
        this.accounts.apply(content.value);
        break;
      case "thread":
        this.threads.apply(content.value);
        break;
      case "message":
        this.messages.apply(content.value);
        break;
      case "reply":
        this.replies.apply(content.value);
        break;
      case "user":
        this.users.apply(content.value);
        break;
      case "userSession":
        this.sessions.apply(content.value);
        break;
      default:
    }
  }

  clear(): void {
    this.accounts.clear();
    this.threads.clear();
    this.messages.clear();
    this.replies.clear();
    this.users.clear();
    this.sessions.clear();
  }

  #remove({ resource, resourceType, resourceId, sequence }: Event): void {
    // The caller may not read a resource without content. Only a deletion has no resource at all.
    if (resource !== undefined) return;
    this.#recordsOf(resourceType)?.remove(resourceId, sequence);
  }

  #recordsOf(type: ResourceType): { remove(id: string, sequence: bigint): boolean } | undefined {
    switch (type) {
      case ResourceType.ACCOUNT:
        return this.accounts;
      case ResourceType.THREAD:
        return this.threads;
      case ResourceType.MESSAGE:
        return this.messages;
      case ResourceType.REPLY:
        return this.replies;
      case ResourceType.USER:
        return this.users;
      case ResourceType.USER_SESSION:
        return this.sessions;
      default:
        return undefined;
    }
  }
}
