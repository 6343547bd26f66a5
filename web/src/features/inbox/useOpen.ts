import { useLayoutEffect, useMemo, useSyncExternalStore } from "react";

import { useList } from "../../data/hooks";
import type { LiveList, ListView } from "../../data/list";
import type { Versioned } from "../../data/records";
import { counts } from "./inbox";

/** Opens the list of a name, and shows it. */
export function useOpenList<T extends Versioned>(
  open: () => LiveList<T>,
  name: string,
): [LiveList<T>, ListView] {
  // oxlint-disable-next-line react/exhaustive-deps -- the name identifies the list
  const list = useMemo(open, [name]);
  return [list, useList(list)];
}

export function useCounts(): ReturnType<typeof counts.value> {
  return useSyncExternalStore(counts.subscribe, counts.value);
}

/** Pins the row of the open thread, also if the filter excludes it. */
export function usePinned<T extends Versioned>(list: LiveList<T>, id: string | undefined): void {
  // Before the thread is marked as read.
  useLayoutEffect(() => {
    list.pin(id);
    return () => list.pin(undefined);
  }, [list, id]);
}
