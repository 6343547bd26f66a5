import { Code, ConnectError, type Client } from "@connectrpc/connect";

import {
  PublishJob_State as State,
  PublishJob_Waiting_Why as Why,
  type PublishJob,
  type PublishService,
} from "./gen/vintedbot/v1/publish_pb.js";
import { sleep } from "./retry.js";

/** The options of `settled`. */
export interface SettledOptions {
  /** Ends the wait when aborted. It then fails with `Code.Canceled`. */
  signal?: AbortSignal;
  /** The time between two reads, in milliseconds. Default: 1,000. */
  intervalMs?: number;
}

/** The states in which the server works on a job, unless it waits for a person. */
const working: ReadonlySet<State> = new Set([
  State.UNSPECIFIED,
  State.QUEUED,
  State.PREPARING,
  State.CONFIRMED,
  State.PUBLISHING,
]);

/** What a job waits for that only a person can give. */
const forPerson: ReadonlySet<Why> = new Set([Why.CONFIRMATION, Why.PERSON, Why.ACCOUNT_PAUSED]);

/**
 * Returns whether a publish job has ended, waits for its scheduled time, or waits for a person: for a confirmation, at
 * a challenge, or in doubt.
 */
export function isSettled({ state, requiresAction, waiting }: PublishJob): boolean {
  if (state === State.UNCONFIRMED) return requiresAction;
  if (!working.has(state)) return true;
  return requiresAction || (waiting !== undefined && forPerson.has(waiting.why));
}

/**
 * Waits until a publish job has ended, is scheduled or waits for a person, and returns it; see `isSettled`. For a
 * script; a page follows the events of `watch` instead.
 */
export async function settled(
  publish: Client<typeof PublishService>,
  jobId: string,
  { signal, intervalMs = 1_000 }: SettledOptions = {},
): Promise<PublishJob> {
  for (;;) {
    const { publishJob: job } = await publish.getPublishJob(
      { id: jobId },
      signal === undefined ? {} : { signal },
    );
    if (job !== undefined && isSettled(job)) return job;
    await sleep(intervalMs, signal);
    if (signal?.aborted) throw new ConnectError("the wait for the publish job was aborted", Code.Canceled);
  }
}
