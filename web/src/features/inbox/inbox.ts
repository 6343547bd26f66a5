import {
  AccountService,
  InboxService,
  ResourceType,
  type Account,
  type Message,
  type Reply,
  type Thread,
} from "@vintedbot/sdk";

import type { Execution } from "../../data/command";
import { connection } from "../../data/connection";
import { Fresh } from "../../data/fresh";
import type { LiveList } from "../../data/list";
import { describe } from "../../data/problem";
import { openList, resources } from "../../data/store";
import { texts } from "../../i18n";
import { toast } from "../../ui/toasts";
import { threadChanges } from "./changes";
import { byNewest, matches, parametersOf, requestOf, type Filter } from "./threadFilter";
import { byOldest, isOpen, openStates } from "./replyState";

export const inbox = connection.client(InboxService);
const accountCalls = connection.client(AccountService);

export const changes = threadChanges(inbox);

const pageSize = 50;

export function openThreads(filter: Filter): LiveList<Thread> {
  return openList(`threads ${parametersOf(filter).toString()}`, resources.threads, {
    matches: (thread) => matches(filter, thread, Date.now()),
    compare: byNewest,
    load: async (pageToken) => {
      const { threads, nextPageToken } = await inbox.listThreads({
        ...requestOf(filter),
        pageSize,
        pageToken,
      });
      return { values: threads, nextPageToken };
    },
  });
}

/** The messages of a thread, newest first. The page shows them in reverse. */
export function openMessages(threadId: string): LiveList<Message> {
  return openList(`messages ${threadId}`, resources.messages, {
    matches: (message) => message.threadId === threadId,
    compare: (a, b) => (a.position === b.position ? 0 : a.position < b.position ? 1 : -1),
    load: async (pageToken) => {
      const { messages, nextPageToken } = await inbox.listMessages({ threadId, pageSize, pageToken });
      return { values: messages, nextPageToken };
    },
  });
}

/** The replies of a thread that have not ended well. */
export function openReplies(threadId: string): LiveList<Reply> {
  return openList(`replies ${threadId}`, resources.replies, {
    matches: (reply) => reply.threadId === threadId && isOpen(reply, Date.now()),
    compare: byOldest,
    load: async (pageToken) => {
      const request = { threadId, states: [...openStates], pageSize, pageToken };
      const { replies, nextPageToken } = await inbox.listReplies(request);
      return { values: replies, nextPageToken };
    },
  });
}

export function openAccounts(): LiveList<Account> {
  return openList("accounts", resources.accounts, {
    matches: () => true,
    compare: (a, b) => a.displayName.localeCompare(b.displayName) || (a.id < b.id ? -1 : 1),
    load: async (pageToken) => {
      const { accounts, nextPageToken } = await accountCalls.listAccounts({ pageSize: 200, pageToken });
      return { values: accounts, nextPageToken };
    },
  });
}

export const counts = new Fresh(
  () => inbox.getInboxCounts({}),
  ({ resourceType }) => resourceType === ResourceType.THREAD || resourceType === ResourceType.MESSAGE,
);

/** Reads a thread that no list has loaded. */
export async function readThread(id: string): Promise<void> {
  const { thread } = await inbox.getThread({ id });
  if (thread !== undefined) resources.threads.apply(thread);
}

/** Shows the result of a command, with its undo. A refusal is shown with its reason. */
export function showResult(execution: Execution, text: string): void {
  const { done, undo } = execution;
  toast({
    text,
    ...(undo === undefined
      ? {}
      : {
          undo: () => {
            const back = undo();
            back.done.then(
              () => toast({ text: texts().app.undone }),
              () => undefined,
            );
            reportRefusal(back.done);
          },
        }),
  });
  reportRefusal(done);
}

export function reportRefusal(done: Promise<unknown>): void {
  done.catch(async (thrown: unknown) => {
    const { text, next } = await describe(thrown);
    toast({ kind: "problem", text: `${text} ${next}` });
  });
}
