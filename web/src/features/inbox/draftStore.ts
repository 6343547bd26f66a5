import type { Thread } from "@vintedbot/sdk";

import { world } from "../../data/store";
import { Draft } from "./drafts";
import { inbox } from "./inbox";

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
        if (current !== undefined) world.threads.apply(current);
        return current?.draft;
      },
      storage: localStorage,
    },
    thread.draft,
  );
  world.threads.subscribe((ids) => {
    if (ids.has(id)) draft.receive(world.threads.stored(id)?.draft);
  });
  drafts.set(id, draft);
  return draft;
}

// What was typed in the last moment is on this device already. This also brings it to the server.
window.addEventListener("pagehide", () => {
  for (const draft of drafts.values()) draft.close();
});
