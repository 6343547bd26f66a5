import { Reply_State as State, type Thread } from "@vintedbot/sdk";

import { live, resources } from "../../data/store";
import { Draft } from "./drafts";
import { inbox } from "./inbox";
import { isAfterDraft } from "./replyState";

/** The drafts of the threads that were opened since the page was loaded. */
const drafts = new Map<string, Draft>();

/** Returns the draft of a thread. Each thread has its own, so a text can never get into another one. */
export function draftOf(thread: Thread): Draft {
  const { id } = thread;
  const known = drafts.get(id);
  if (known !== undefined) return known;
  const draft = new Draft(
    {
      threadId: id,
      save: async (text, expectedVersion) =>
        (await inbox.saveDraft({ threadId: id, text, expectedVersion })).draft,
      read: async () => {
        const { thread: current } = await inbox.getThread({ id });
        if (current !== undefined) resources.threads.apply(current);
        return current?.draft;
      },
      storage: localStorage,
    },
    thread.draft,
  );
  resources.threads.subscribe((ids) => {
    if (ids.has(id)) draft.receive(resources.threads.stored(id)?.draft);
  });
  const receiveReplies = (ids: Iterable<string>): void => {
    for (const replyId of ids) {
      const reply = resources.replies.stored(replyId);
      if (reply?.threadId === id) draft.receiveReply(reply);
    }
  };
  resources.replies.subscribe(receiveReplies);
  receiveReplies(resources.replies.ids());
  drafts.set(id, draft);
  const checkSent = (): void => {
    if (draft.view().text !== "") readSent(id).catch(() => undefined);
  };
  live.onGap(checkSent);
  checkSent();
  return draft;
}

/**
 * Reads whether the draft was sent while this page was closed or missed events. The list of open replies does not
 * contain that reply any more.
 */
async function readSent(threadId: string): Promise<void> {
  const { replies } = await inbox.listReplies({ threadId, states: [State.SENT], pageSize: 1 });
  const last = replies[0];
  if (last !== undefined && isAfterDraft(last, resources.threads.stored(threadId)?.draft))
    resources.replies.apply(last);
}

// What was typed in the last moment is on this device already. This also brings it to the server.
window.addEventListener("pagehide", () => {
  for (const draft of drafts.values()) draft.close();
});
