import assert from "node:assert/strict";
import { test } from "node:test";

import { create } from "@bufbuild/protobuf";
import { Code, createRouterTransport } from "@connectrpc/connect";

import {
  callError,
  createServices,
  isSettled,
  PublishJob_State as State,
  PublishJob_StateSchema,
  PublishJob_Waiting_Why as Why,
  PublishJob_Waiting_WhySchema,
  PublishJobSchema,
  PublishService,
  settled,
} from "../src/index.js";

/** Whether a job without a wait for a person is settled in a state. Add a new state here and in `settled.ts`. */
const expected: Record<State, boolean> = {
  [State.UNSPECIFIED]: false,
  [State.QUEUED]: false,
  [State.PREPARING]: false,
  [State.AWAITING_CONFIRMATION]: true,
  [State.CONFIRMED]: false,
  [State.PUBLISHING]: false,
  [State.UNCONFIRMED]: false,
  [State.BLOCKED]: true,
  [State.MANUAL_TAKEOVER]: true,
  [State.PUBLISHED]: true,
  [State.FAILED]: true,
  [State.CANCELLED]: true,
  [State.EXPIRED]: true,
  [State.SCHEDULED]: true,
  [State.DONE]: true,
};

/** Whether only a person can end this wait. */
const forPerson: Record<Why, boolean> = {
  [Why.UNSPECIFIED]: false,
  [Why.WORKER]: false,
  [Why.RATE_LIMIT]: false,
  [Why.ACCOUNT_BUSY]: false,
  [Why.ACCOUNT_PAUSED]: true,
  [Why.BACKOFF]: false,
  [Why.SETTLING]: false,
  [Why.CONFIRMATION]: true,
  [Why.PERSON]: true,
  [Why.SCHEDULE]: false,
};

test("each state is settled or not", () => {
  for (const { number, name } of PublishJob_StateSchema.values) {
    const state = number as State;
    assert.equal(isSettled(create(PublishJobSchema, { state })), expected[state], name);
    const isPersonsTurn = create(PublishJobSchema, { state, requiresAction: true });
    assert.equal(isSettled(isPersonsTurn), true, `${name} that requires an action`);
  }
});

test("job that waits for a person is settled", () => {
  for (const { number, name } of PublishJob_Waiting_WhySchema.values) {
    const why = number as Why;
    const job = create(PublishJobSchema, { state: State.QUEUED, waiting: { why } });
    assert.equal(isSettled(job), forPerson[why], name);
  }
});

function publishing(...states: State[]) {
  let reads = 0;
  const transport = createRouterTransport(({ service }) => {
    service(PublishService, {
      getPublishJob: ({ id }) => ({
        publishJob: { id, state: states[Math.min(reads++, states.length - 1)]! },
      }),
    });
  });
  return { publish: createServices(transport).publish, reads: () => reads };
}

test("job is read until it is settled", async () => {
  const { publish, reads } = publishing(State.QUEUED, State.PREPARING, State.AWAITING_CONFIRMATION);
  const job = await settled(publish, "j", { intervalMs: 1 });
  assert.deepEqual([job.id, job.state, reads()], ["j", State.AWAITING_CONFIRMATION, 3]);
});

test("settled job is returned at once", async () => {
  const { publish, reads } = publishing(State.FAILED);
  await settled(publish, "j", { intervalMs: 60_000 });
  assert.equal(reads(), 1);
});

test("abort ends the wait for a job", async () => {
  const { publish, reads } = publishing(State.QUEUED);
  const abort = new AbortController();
  setTimeout(() => abort.abort(), 20);
  const thrown = await settled(publish, "j", { intervalMs: 60_000, signal: abort.signal }).catch(callError);
  assert.equal((thrown as { code: Code }).code, Code.Canceled);
  assert.equal(reads(), 1);
});
