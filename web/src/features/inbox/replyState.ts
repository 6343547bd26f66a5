import {
  Message_Author as Author,
  Reply_State as State,
  type Message,
  type Reply,
  type Thread,
} from "@vintedbot/sdk";

/** The replies that a person still has to know about. */
export const openStates = [
  State.AWAITING_CONFIRMATION,
  State.QUEUED,
  State.SENDING,
  State.UNCONFIRMED,
  State.FAILED,
  State.BLOCKED,
] as const;

/** Whether the text of a reply may reach the site, or has reached it. */
export function isUnderWay(state: State): boolean {
  return (
    state === State.QUEUED || state === State.SENDING || state === State.SENT || state === State.UNCONFIRMED
  );
}

/** Whether a reply was made after the draft was last saved, and so can be the reply that the draft became. */
export function isAfterDraft({ createTime }: Reply, draft: Thread["draft"]): boolean {
  const saved = draft?.updateTime;
  if (createTime === undefined || saved === undefined) return false;
  if (createTime.seconds !== saved.seconds) return createTime.seconds > saved.seconds;
  return createTime.nanos >= saved.nanos;
}

/** How long a reply that failed is shown. An older one is history. */
const failedMs = 24 * 3_600_000;

export function isOpen(reply: Reply, nowMs: number): boolean {
  if (!(openStates as readonly State[]).includes(reply.state)) return false;
  if (reply.state !== State.FAILED) return true;
  return nowMs - Number(reply.endTime?.seconds ?? 0n) * 1000 < failedMs;
}

export function byOldest(a: Reply, b: Reply): number {
  const seconds = (a.createTime?.seconds ?? 0n) - (b.createTime?.seconds ?? 0n);
  if (seconds !== 0n) return seconds > 0n ? 1 : -1;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

/** Returns the account's last messages, as evidence for a reply in doubt. */
export function evidence(messages: readonly Message[]): Message[] {
  return messages.filter(({ author }) => author === Author.ACCOUNT).slice(-3);
}

/** Returns the messages that appeared after the person began to write, also those of the account from elsewhere. */
export function newerThan(messages: readonly Message[], basePosition: bigint): Message[] {
  if (basePosition < 0n) return [];
  return messages.filter(({ position, author }) => position > basePosition && author !== Author.SITE);
}
