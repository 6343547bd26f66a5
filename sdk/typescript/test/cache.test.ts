import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";

import { create, type DescMessage, type DescMethod, type DescService } from "@bufbuild/protobuf";
import { createRouterTransport } from "@connectrpc/connect";
import { createInfiniteQueryOptions, createQueryOptions } from "@connectrpc/connect-query";
import { InfiniteQueryObserver, QueryClient, QueryObserver, type Query } from "@tanstack/react-query";

import * as sdk from "../src/index.js";
import {
  ConfirmationSchema,
  EventSchema,
  InboxService,
  PublishJob_State,
  PublishJobSchema,
  PublishService,
  ResourceSchema,
  ResourceType,
  ResourceTypeSchema,
  type Event,
  type ListThreadsResponse,
} from "../src/index.js";
import { applyEvent, invalidateBefore, listsOf } from "../src/react/cache.js";

const batchMs = 100;

/** A server with threads and one publish job, which counts its reads. */
class Server {
  threads: { id: string; sequence: bigint; snippet: string }[] = [
    { id: "t1", sequence: 1n, snippet: "one" },
    { id: "t2", sequence: 2n, snippet: "two" },
  ];
  job = create(PublishJobSchema, {
    id: "j1",
    sequence: 5n,
    state: PublishJob_State.AWAITING_CONFIRMATION,
    confirmation: { confirmToken: "secret" },
    stepTimeline: [{ attempt: 1 }],
  });
  reads: Record<string, number> = {};
  /** Delays the answers, which are decided before the delay. */
  delayMs = 0;

  readonly transport = createRouterTransport(({ service }) => {
    service(InboxService, {
      listThreads: ({ pageToken }) => {
        const page = Number(pageToken || 0);
        const threads = this.threads.slice(2 * page, 2 * page + 2);
        const nextPageToken = this.threads.length > 2 * page + 2 ? String(page + 1) : "";
        return this.answer("listThreads", { threads, nextPageToken });
      },
      getThread: ({ id }) =>
        this.answer("getThread", { thread: this.threads.find((thread) => thread.id === id) }),
      getInboxCounts: () => this.answer("getInboxCounts", { total: { threads: this.threads.length } }),
      listReplies: () => this.answer("listReplies", {}),
    });
    service(PublishService, {
      getPublishJob: () => this.answer("getPublishJob", { publishJob: this.job }),
    });
  });

  private async answer<T>(method: string, response: T): Promise<T> {
    this.reads[method] = (this.reads[method] ?? 0) + 1;
    const copy = structuredClone(response);
    await new Promise((resolve) => setTimeout(resolve, this.delayMs));
    return copy;
  }
}

function later(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits until the batch of the last event is marked and everything has been read again. */
async function settle(client: QueryClient): Promise<void> {
  await later(batchMs + 20);
  while (client.isFetching() > 0) await later(5);
}

/** A page that displays answers of a server. */
function open(t: TestContext) {
  const server = new Server();
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  t.after(() => client.clear());
  const show = <M extends Parameters<typeof createQueryOptions>[0]>(method: M, input: object) => {
    const options = createQueryOptions(method, input as never, { transport: server.transport });
    const observer = new QueryObserver(client, options);
    t.after(observer.subscribe(() => undefined));
    return observer;
  };
  return { server, client, show };
}

function threads(observer: { getCurrentResult(): { data?: unknown } }): string[] {
  const { threads = [] } = (observer.getCurrentResult().data ?? {}) as Partial<ListThreadsResponse>;
  return threads.map(({ id, snippet }) => `${id} ${snippet}`);
}

function threadEvent(id: string, sequence: bigint, snippet: string): Event {
  return create(EventSchema, {
    sequence,
    resourceType: ResourceType.THREAD,
    resourceId: id,
    resource: { resource: { case: "thread", value: { id, sequence, snippet } } },
  });
}

const { listThreads, getThread, getInboxCounts, listReplies } = InboxService.method;

test("newer version replaces an answer at once", async (t) => {
  const { client, show } = open(t);
  const [list, one] = [show(listThreads, {}), show(getThread, { id: "t1" })];
  await settle(client);
  applyEvent(client, threadEvent("t1", 7n, "newer"));
  assert.deepEqual(threads(list), ["t1 newer", "t2 two"]);
  const { thread } = one.getCurrentResult().data as unknown as { thread: { snippet: string } };
  assert.equal(thread.snippet, "newer");
});

test("older or equal version replaces nothing", async (t) => {
  const { server, client, show } = open(t);
  server.threads[0]!.sequence = 9n;
  const list = show(listThreads, {});
  await settle(client);
  const before = list.getCurrentResult().data;
  applyEvent(client, threadEvent("t1", 8n, "older"));
  applyEvent(client, threadEvent("t1", 9n, "equal"));
  assert.equal(list.getCurrentResult().data, before);
});

test("only what changed gets a new identity", async (t) => {
  const { client, show } = open(t);
  const list = show(listThreads, {});
  await settle(client);
  const before = list.getCurrentResult().data as ListThreadsResponse;
  applyEvent(client, threadEvent("t1", 7n, "newer"));
  const after = list.getCurrentResult().data as ListThreadsResponse;
  assert.notEqual(after, before);
  assert.equal(after.$typeName, before.$typeName);
  assert.equal(after.threads[1], before.threads[1]);
  assert.equal(before.threads[0]?.snippet, "one", "the old answer is not changed");
});

test("resource of another type with the same id stays", async (t) => {
  const { client, show } = open(t);
  const list = show(listThreads, {});
  await settle(client);
  const value = { id: "t1", sequence: 9n, name: "another" };
  const other = { resourceType: ResourceType.TEMPLATE, resourceId: "t1" };
  applyEvent(client, create(EventSchema, { ...other, resource: { resource: { case: "template", value } } }));
  assert.deepEqual(threads(list), ["t1 one", "t2 two"]);
});

test("list and counts are read again for a new member", async (t) => {
  const { server, client, show } = open(t);
  const [list, counts, replies] = [show(listThreads, {}), show(getInboxCounts, {}), show(listReplies, {})];
  await settle(client);
  server.threads.unshift({ id: "t0", sequence: 7n, snippet: "zero" });
  applyEvent(client, threadEvent("t0", 7n, "zero"));
  await settle(client);
  assert.deepEqual(threads(list), ["t0 zero", "t1 one", "t2 two"].slice(0, 2));
  assert.equal(
    (counts.getCurrentResult().data as unknown as { total: { threads: number } }).total.threads,
    3,
  );
  assert.deepEqual(server.reads, { listThreads: 2, getInboxCounts: 2, listReplies: 1 });
  void replies;
});

test("list that is not displayed becomes stale only", async (t) => {
  const { server, client } = open(t);
  const options = createQueryOptions(listThreads, {}, { transport: server.transport });
  await client.fetchQuery(options);
  applyEvent(client, threadEvent("t9", 7n, "new"));
  await settle(client);
  assert.equal(server.reads["listThreads"], 1);
  assert.equal(client.getQueryState(options.queryKey)?.isInvalidated, true);
});

test("stale list stays stale when its entry is replaced", async (t) => {
  const { server, client } = open(t);
  const options = createQueryOptions(getThread, { id: "t1" }, { transport: server.transport });
  await client.fetchQuery(options);
  const { dataUpdatedAt = 0 } = client.getQueryState(options.queryKey) ?? {};
  invalidateBefore(client, Date.now());
  await later(5);
  applyEvent(client, threadEvent("t1", 7n, "newer"));
  await settle(client);
  const state = client.getQueryState(options.queryKey);
  assert.equal(state?.isInvalidated, true);
  assert.equal(state?.dataUpdatedAt, dataUpdatedAt, "its age is that of the read");
});

test("answers with a deleted resource are read again", async (t) => {
  const { server, client, show } = open(t);
  const [gone, other] = [show(getThread, { id: "t1" }), show(getThread, { id: "t2" })];
  await settle(client);
  server.threads.shift();
  applyEvent(client, create(EventSchema, { resourceType: ResourceType.THREAD, resourceId: "t1" }));
  await settle(client);
  assert.equal((gone.getCurrentResult().data as unknown as { thread?: unknown }).thread, undefined);
  assert.equal(server.reads["getThread"], 3);
  void other;
});

test("all pages of an infinite list are kept current", async (t) => {
  const { server, client } = open(t);
  server.threads.push({ id: "t3", sequence: 3n, snippet: "three" });
  const options = createInfiniteQueryOptions(
    listThreads,
    { pageToken: "" },
    {
      transport: server.transport,
      pageParamKey: "pageToken",
      getNextPageParam: ({ nextPageToken }) => nextPageToken || undefined,
    },
  );
  const observer = new InfiniteQueryObserver(client, options);
  t.after(observer.subscribe(() => undefined));
  await settle(client);
  await observer.fetchNextPage();
  const shown = (): string[] =>
    observer.getCurrentResult().data?.pages.flatMap(({ threads }) => threads.map(({ snippet }) => snippet)) ??
    [];
  assert.deepEqual(shown(), ["one", "two", "three"]);
  applyEvent(client, threadEvent("t3", 7n, "newer"));
  assert.deepEqual(shown(), ["one", "two", "newer"]);
  server.threads[2] = { id: "t3", sequence: 7n, snippet: "read" };
  await settle(client);
  assert.deepEqual(shown(), ["one", "two", "read"]);
});

function jobEvent(sequence: bigint, state: PublishJob_State): Event {
  return create(EventSchema, {
    resourceType: ResourceType.PUBLISH_JOB,
    resourceId: "j1",
    resource: {
      resource: { case: "publishJob", value: { id: "j1", sequence, state, reasonMessage: "slow" } },
    },
  });
}

interface ShownJob {
  reasonMessage: string;
  state: PublishJob_State;
  confirmation?: { confirmToken: string };
  stepTimeline: unknown[];
}

test("publish job keeps its confirmation until it is read", async (t) => {
  const { server, client, show } = open(t);
  const observer = show(PublishService.method.getPublishJob, { id: "j1" });
  const job = (): ShownJob =>
    (observer.getCurrentResult().data as unknown as { publishJob: ShownJob }).publishJob;
  await settle(client);
  applyEvent(client, jobEvent(6n, PublishJob_State.AWAITING_CONFIRMATION));
  assert.equal(job().reasonMessage, "slow");
  assert.equal(job().confirmation?.confirmToken, "secret");
  assert.equal(job().stepTimeline.length, 1);
  server.job = create(PublishJobSchema, { ...server.job, sequence: 6n });
  server.job.confirmation = create(ConfirmationSchema, { confirmToken: "renewed" });
  await settle(client);
  assert.equal(job().confirmation?.confirmToken, "renewed");
});

test("confirmed publish job has no confirmation", async (t) => {
  const { client, show } = open(t);
  const observer = show(PublishService.method.getPublishJob, { id: "j1" });
  await settle(client);
  applyEvent(client, jobEvent(6n, PublishJob_State.CONFIRMED));
  const { publishJob } = observer.getCurrentResult().data as unknown as { publishJob: ShownJob };
  assert.equal(publishJob.confirmation, undefined);
  assert.equal(publishJob.stepTimeline.length, 1);
});

test("burst of events causes one read", async (t) => {
  const { server, client, show } = open(t);
  show(listThreads, {});
  await settle(client);
  for (let sequence = 10n; sequence < 110n; sequence++) applyEvent(client, threadEvent("t1", sequence, "x"));
  await settle(client);
  assert.equal(server.reads["listThreads"], 2);
});

test("lasting burst does not keep a list from being read", async (t) => {
  const { server, client, show } = open(t);
  const list = show(listThreads, {});
  await settle(client);
  server.delayMs = 250;
  server.threads.unshift({ id: "t0", sequence: 7n, snippet: "zero" });
  let isShown = false;
  for (let sequence = 10n; sequence < 40n; sequence++) {
    applyEvent(client, threadEvent("t2", sequence, "x"));
    await later(30);
    isShown ||= threads(list)[0] === "t0 zero";
  }
  assert.ok(isShown, "the list is read during the burst");
  await settle(client);
  assert.ok((server.reads["listThreads"] ?? 0) <= 7, `it was read ${server.reads["listThreads"]} times`);
});

test("event during the first read is not lost", async (t) => {
  const { server, client, show } = open(t);
  server.delayMs = 200;
  const [list, one] = [show(listThreads, {}), show(getThread, { id: "t2" })];
  await later(50);
  server.threads = [
    { id: "t0", sequence: 7n, snippet: "zero" },
    { id: "t2", sequence: 8n, snippet: "newer" },
  ];
  applyEvent(client, threadEvent("t0", 7n, "zero"));
  applyEvent(client, threadEvent("t2", 8n, "newer"));
  await settle(client);
  assert.deepEqual(threads(list), ["t0 zero", "t2 newer"]);
  assert.equal(
    (one.getCurrentResult().data as unknown as { thread: { snippet: string } }).thread.snippet,
    "newer",
  );
  assert.deepEqual(server.reads, { listThreads: 2, getThread: 2 });
});

test("answer from before an event does not stay", async (t) => {
  const { server, client, show } = open(t);
  const one = show(getThread, { id: "t1" });
  await settle(client);
  server.delayMs = 200;
  void one.refetch();
  await later(50);
  server.threads[0] = { id: "t1", sequence: 7n, snippet: "newer" };
  applyEvent(client, threadEvent("t1", 7n, "newer"));
  await settle(client);
  assert.equal(
    (one.getCurrentResult().data as unknown as { thread: { snippet: string } }).thread.snippet,
    "newer",
  );
});

test("gap makes what was read or is under way stale", async (t) => {
  const { server, client, show } = open(t);
  const list = show(listThreads, {});
  await settle(client);
  server.delayMs = 100;
  show(getInboxCounts, {});
  await later(20);
  invalidateBefore(client, Date.now());
  await settle(client);
  assert.deepEqual(server.reads, { listThreads: 2, getInboxCounts: 2 });
  void list;
});

test("queries of other libraries stay", async (t) => {
  const { client } = open(t);
  const foreign: [readonly unknown[], unknown][] = [
    [["threads"], { id: "t1", sequence: 1n, $typeName: "vintedbot.v1.Thread", snippet: "mine" }],
    [["connect-query", { serviceName: "other.v1.InboxService", methodName: "ListThreads" }], { id: "t1" }],
    [[], 1],
  ];
  for (const [key, data] of foreign) client.setQueryData(key, data);
  applyEvent(client, threadEvent("t1", 9n, "newer"));
  applyEvent(client, create(EventSchema, { resourceType: ResourceType.THREAD, resourceId: "t1" }));
  invalidateBefore(client, Date.now());
  await settle(client);
  const states = client
    .getQueryCache()
    .findAll()
    .map(({ state }: Query) => state);
  assert.deepEqual(
    states.map(({ data, isInvalidated }) => [data, isInvalidated]),
    foreign.map(([, data]) => [data, false]),
  );
});

const services = Object.values<unknown>(sdk).filter(
  (value): value is DescService => (value as { kind?: string }).kind === "service",
);
const methods = services.flatMap((service) =>
  service.methods.map((method): [string, DescMethod] => [`${service.name}/${method.name}`, method]),
);

/** The type of each resource by the name of its message. */
const resourceTypes = new Map<string, ResourceType>(
  ResourceSchema.fields.map(({ name, message }) => {
    const type = ResourceTypeSchema.values.find(
      (value) => value.name === `RESOURCE_TYPE_${name.toUpperCase()}`,
    );
    assert.ok(type && message, name);
    return [message.typeName, type.number as ResourceType];
  }),
);

/** Returns the types of the resources in a message, at any depth. */
function resourcesIn(desc: DescMessage, seen = new Set<DescMessage>()): Set<ResourceType> {
  const found = new Set<ResourceType>();
  if (seen.has(desc)) return found;
  seen.add(desc);
  const own = resourceTypes.get(desc.typeName);
  if (own !== undefined) found.add(own);
  for (const { message } of desc.fields) {
    if (message) for (const type of resourcesIn(message, seen)) found.add(type);
  }
  return found;
}

/** Methods whose answers are derived from resources that they do not contain. */
const derived = new Set([
  "AuthService/ListInvitations",
  "InboxService/GetInboxCounts",
  "InboxService/Search",
  "ListingService/PreviewListing",
  "PublishService/ListPublishSteps",
  "PublishService/ListScreenshots",
  "TemplateService/PreviewTemplate",
]);

test("methods with stale answers exist and contain the resource", () => {
  const known = new Map(methods);
  for (const [type, names] of Object.entries(listsOf)) {
    for (const name of names) {
      const method = known.get(name);
      assert.ok(method, `${name} does not exist`);
      assert.equal(method.methodKind, "unary", name);
      const contains = resourcesIn(method.output).has(Number(type) as ResourceType);
      assert.ok(contains || derived.has(name), `${name} contains no ${ResourceType[Number(type)]}`);
    }
  }
});

test("each list of resources becomes stale with them", () => {
  for (const [name, method] of methods) {
    if (!/^(List|Search|Get)/.test(method.name)) continue;
    for (const { fieldKind, message } of method.output.fields) {
      if (fieldKind !== "list" || !message) continue;
      for (const type of resourcesIn(message)) {
        assert.ok(listsOf[type]?.includes(name), `${name} lists ${ResourceType[type]}`);
      }
    }
  }
  const listed = Object.keys(listsOf).map(Number);
  const unlisted = ResourceTypeSchema.values
    .map(({ number }) => number)
    .filter((type) => !listed.includes(type));
  assert.deepEqual(unlisted, [ResourceType.UNSPECIFIED, ResourceType.WARDROBE_IMPORT]);
});

test("each resource has an id and a version", () => {
  for (const { message, name } of ResourceSchema.fields) {
    const fields = message?.fields.map((field) => field.name) ?? [];
    assert.ok(fields.includes("id") && fields.includes("sequence"), name);
  }
});
