import { timestampDate, type Thread } from "@vintedbot/sdk";

/** The views of the inbox, in the order of the filter bar. */
export const views = ["all", "unread", "waiting", "offers", "snoozed", "archived"] as const;
export type View = (typeof views)[number];

/** Which threads the list shows. It is part of the address. */
export interface Filter {
  view: View;
  accountId: string;
  label: string;
}

export function filterOf(parameters: URLSearchParams): Filter {
  const view = views.find((one) => one === parameters.get("view")) ?? "all";
  return { view, accountId: parameters.get("account") ?? "", label: parameters.get("label") ?? "" };
}

/** Returns the address parameters of a filter, without those that have their default. */
export function parametersOf({ view, accountId, label }: Filter): URLSearchParams {
  const parameters = new URLSearchParams();
  if (view !== "all") parameters.set("view", view);
  if (accountId !== "") parameters.set("account", accountId);
  if (label !== "") parameters.set("label", label);
  return parameters;
}

/** Returns the request of ListThreads for a filter. */
export function requestOf({ view, accountId, label }: Filter) {
  return {
    accountIds: accountId === "" ? [] : [accountId],
    label,
    ...(view === "unread" ? { unread: true } : {}),
    ...(view === "waiting" ? { waitingForMe: true } : {}),
    ...(view === "offers" ? { hasOffer: true } : {}),
    ...(view === "snoozed" ? { snoozed: true } : {}),
    ...(view === "archived" ? { archived: true } : {}),
  };
}

export function isSnoozed({ snoozeTime }: Thread, nowMs: number): boolean {
  return snoozeTime !== undefined && timestampDate(snoozeTime).getTime() > nowMs;
}

/** Decides as the server does whether a thread belongs to a list. */
export function matches({ view, accountId, label }: Filter, thread: Thread, nowMs: number): boolean {
  if (accountId !== "" && thread.accountId !== accountId) return false;
  if (label !== "" && !thread.labels.includes(label)) return false;
  if (thread.archived !== (view === "archived")) return false;
  if (isSnoozed(thread, nowMs) !== (view === "snoozed")) return false;
  switch (view) {
    case "unread":
      return thread.unread;
    case "waiting":
      return thread.waitingForMe;
    case "offers":
      return thread.hasOffer;
    default:
      return true;
  }
}

/** The order of the server: the newest message first. */
export function byNewest(a: Thread, b: Thread): number {
  const seconds = (b.lastMessageTime?.seconds ?? 0n) - (a.lastMessageTime?.seconds ?? 0n);
  if (seconds !== 0n) return seconds > 0n ? 1 : -1;
  const nanos = (b.lastMessageTime?.nanos ?? 0) - (a.lastMessageTime?.nanos ?? 0);
  if (nanos !== 0) return nanos;
  return a.id < b.id ? 1 : a.id > b.id ? -1 : 0;
}
