import { watchClock } from "./clock";
import { connection } from "./connection";
import { LiveList, type ListOptions } from "./list";
import { Live } from "./live";
import type { Records, Versioned } from "./records";
import { Resources } from "./resources";

export const resources = new Resources();

/** The lists that pages have opened, by name. The last ones stay, so that going back shows them at once. */
const lists = new Map<string, LiveList<never>>();
const listsMax = 12;
const recheckMs = 15_000;

export const live = new Live({
  watch: (options) => connection.watch(options),
  apply: (event) => resources.apply(event),
});
live.onGap(() => {
  for (const list of lists.values()) void list.reload();
});

// A list that could not be read during a cut is read again after it.
let wasLost = false;
live.subscribe(() => {
  const { status } = live.state();
  if (status === "lost") wasLost = true;
  if (status !== "live" || !wasLost) return;
  wasLost = false;
  for (const list of lists.values()) {
    if (list.view().status === "failed") void list.reload();
  }
});

let timer: ReturnType<typeof setInterval> | undefined;
let stopClock: (() => void) | undefined;

/** Starts the stream. The pages call their first lists afterwards. */
export function startLive(): void {
  live.start();
  timer ??= setInterval(() => {
    for (const list of lists.values()) list.recheck();
  }, recheckMs);
  stopClock ??= watchClock(() => live.wake());
}

/** Forgets everything, because the person has signed out. */
export function forgetAll(): void {
  live.reset();
  clearInterval(timer);
  timer = undefined;
  stopClock?.();
  stopClock = undefined;
  for (const list of lists.values()) list.close();
  lists.clear();
  resources.clear();
}

/** Returns the list of a name, and reads its first page if it is new. */
export function openList<T extends Versioned>(
  name: string,
  records: Records<T>,
  options: ListOptions<T>,
): LiveList<T> {
  const known = lists.get(name) as LiveList<T> | undefined;
  if (known !== undefined) {
    lists.delete(name);
    lists.set(name, known as never);
    if (known.view().status === "failed") void known.reload();
    return known;
  }
  const list = new LiveList<T>(records, {
    ...options,
    load: async (pageToken) => {
      await live.opened();
      return options.load(pageToken);
    },
  });
  lists.set(name, list as never);
  for (const [oldest, old] of lists) {
    if (lists.size <= listsMax) break;
    if (old.isWatched) continue;
    old.close();
    lists.delete(oldest);
  }
  void list.reload();
  return list;
}

for (const name of ["online", "pageshow", "focus"]) window.addEventListener(name, () => live.wake());
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) live.wake();
});
