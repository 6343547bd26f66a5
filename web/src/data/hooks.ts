import type { Event } from "@vintedbot/sdk";
import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from "react";

import type { LiveList, ListView } from "./list";
import type { LiveState } from "./live";
import type { Records, Versioned } from "./records";
import { live } from "./store";

/** Returns the newest version of a resource. */
export function useRecord<T extends Versioned>(records: Records<T>, id: string): T | undefined {
  const subscribe = useCallback(
    (changed: () => void) =>
      records.subscribe((ids) => {
        if (ids.has(id)) changed();
      }),
    [records, id],
  );
  return useSyncExternalStore(subscribe, () => records.get(id));
}

export function useList<T extends Versioned>(list: LiveList<T>): ListView {
  return useSyncExternalStore(list.subscribe, list.view);
}

export function useLive(): LiveState {
  return useSyncExternalStore(live.subscribe, live.state);
}

/** How the page should show a lost line. */
export interface LineState {
  /** Whether the banner shows. A short interruption is not shown. */
  isShown: boolean;
  /** Whether actions on the site are off, because the page may be wrong about their outcome. */
  isActingOff: boolean;
  hasEnded: boolean;
  /** The age of what the page shows. Absent if it has shown nothing yet. */
  currentAt: Date | undefined;
}

const quietMs = 2_000;
const actingMs = 30_000;

export function useLine(): LineState {
  const { status, lostAt, currentAt } = useLive();
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    setNow(Date.now());
    if (lostAt === undefined) return undefined;
    const timers = [quietMs, actingMs].map((ms) =>
      setTimeout(() => setNow(Date.now()), Math.max(0, lostAt + ms - Date.now()) + 20),
    );
    return () => timers.forEach(clearTimeout);
  }, [lostAt]);
  const lostMs = lostAt === undefined ? 0 : Math.max(0, now - lostAt);
  return {
    isShown: lostMs >= quietMs || status === "ended",
    isActingOff: lostMs >= actingMs,
    hasEnded: status === "ended",
    currentAt: currentAt === 0 ? undefined : new Date(currentAt),
  };
}

/** Calls back for each event of the stream, after it has been applied. */
export function useEvents(listener: (event: Event) => void): void {
  const latest = useRef(listener);
  useEffect(() => {
    latest.current = listener;
  });
  useEffect(() => live.onEvent((event) => latest.current(event)), []);
}
