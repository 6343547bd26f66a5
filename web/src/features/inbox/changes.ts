import { timestampFromDate, type Thread } from "@vintedbot/sdk";

import type { Change } from "../../data/command";
import { isSnoozed } from "./threadFilter";

/** The calls of the commands, as the client of InboxService has them. */
export interface InboxCalls {
  archiveThreads(request: {
    ids: string[];
    unarchive: boolean;
    requestId: string;
  }): Promise<{ threads: Thread[] }>;
  markThreads(request: { ids: string[]; unread: boolean; requestId: string }): Promise<{ threads: Thread[] }>;
  labelThreads(request: {
    ids: string[];
    add: string[];
    remove: string[];
    requestId: string;
  }): Promise<{ threads: Thread[] }>;
  snoozeThread(request: {
    id: string;
    snoozeTime?: ReturnType<typeof timestampFromDate>;
    requestId: string;
  }): Promise<{ thread?: Thread | undefined }>;
  setThreadNote(request: {
    id: string;
    note: string;
    requestId: string;
  }): Promise<{ thread?: Thread | undefined }>;
}

type ThreadChange = Change<Thread>;

const only = ({ thread }: { thread?: Thread | undefined }): Thread[] =>
  thread === undefined ? [] : [thread];

/** The commands about threads. Each has its inverse. */
export function threadChanges(inbox: InboxCalls, now: () => number = Date.now) {
  const archive = (id: string): ThreadChange => ({
    ids: [id],
    change: ({ snoozeTime: _, ...thread }) => ({ ...thread, archived: true }),
    send: async (requestId) =>
      (await inbox.archiveThreads({ ids: [id], unarchive: false, requestId })).threads,
    inverse: (before) => restore(id, before.get(id)),
  });
  const unarchive = (id: string): ThreadChange => ({
    ids: [id],
    change: (thread) => ({ ...thread, archived: false }),
    send: async (requestId) =>
      (await inbox.archiveThreads({ ids: [id], unarchive: true, requestId })).threads,
    inverse: (before) => restore(id, before.get(id)),
  });
  const snooze = (id: string, until: Date | undefined): ThreadChange => {
    const snoozeTime = until === undefined ? undefined : timestampFromDate(until);
    return {
      ids: [id],
      change: ({ snoozeTime: _, ...thread }) =>
        snoozeTime === undefined ? thread : { ...thread, archived: false, snoozeTime },
      send: async (requestId) =>
        only(
          await inbox.snoozeThread({ id, requestId, ...(snoozeTime === undefined ? {} : { snoozeTime }) }),
        ),
      inverse: (before) => restore(id, before.get(id)),
    };
  };
  /** Archiving ends a snooze, and snoozing ends the archive, so one command can take both back. */
  const restore = (id: string, thread: Thread | undefined): ThreadChange[] => {
    if (thread === undefined) return [];
    if (thread.archived) return [archive(id)];
    const { snoozeTime } = thread;
    if (snoozeTime !== undefined && isSnoozed(thread, now())) {
      return [snooze(id, new Date(Number(snoozeTime.seconds) * 1000 + snoozeTime.nanos / 1e6))];
    }
    return [unarchive(id), snooze(id, undefined)];
  };
  const mark = (id: string, unread: boolean): ThreadChange => ({
    ids: [id],
    change: (thread) => ({ ...thread, unread, unreadCount: unread ? thread.unreadCount : 0 }),
    send: async (requestId) => (await inbox.markThreads({ ids: [id], unread, requestId })).threads,
    inverse: (before) => {
      const thread = before.get(id);
      return thread === undefined || thread.unread === unread ? [] : [mark(id, thread.unread)];
    },
  });
  const label = (id: string, add: string[], remove: string[]): ThreadChange => ({
    ids: [id],
    change: (thread) => ({
      ...thread,
      labels: [...new Set([...thread.labels, ...add])].filter((one) => !remove.includes(one)).sort(),
    }),
    send: async (requestId) => (await inbox.labelThreads({ ids: [id], add, remove, requestId })).threads,
    inverse: (before) => {
      const had = before.get(id)?.labels ?? [];
      const added = add.filter((one) => !had.includes(one));
      const removed = remove.filter((one) => had.includes(one));
      return added.length + removed.length === 0 ? [] : [label(id, removed, added)];
    },
  });
  const note = (id: string, text: string): ThreadChange => ({
    ids: [id],
    change: (thread) => ({ ...thread, note: text }),
    send: async (requestId) => only(await inbox.setThreadNote({ id, note: text, requestId })),
    inverse: (before) => [note(id, before.get(id)?.note ?? "")],
  });
  return { archive, unarchive, snooze, mark, label, note };
}
