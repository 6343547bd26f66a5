import { isMessage, type Message } from "@bufbuild/protobuf";
import type { Query, QueryClient } from "@tanstack/react-query";

import type { Event, Resource } from "../gen/vintedbot/v1/event_pb.js";
import { ResourceType } from "../gen/vintedbot/v1/event_pb.js";

/** A resource as events carry it. */
interface Versioned extends Message {
  id: string;
  sequence: bigint;
}

/**
 * The methods whose answers list resources of a type or are derived from them, in the form `Service/Method`. Their
 * entries, order or numbers may change with each event.
 */
export const listsOf: Readonly<Partial<Record<ResourceType, readonly string[]>>> = {
  [ResourceType.ACCOUNT]: ["AccountService/ListAccounts"],
  [ResourceType.API_TOKEN]: ["AuthService/ListApiTokens"],
  [ResourceType.PHOTO]: ["MediaService/ListPhotos"],
  [ResourceType.LISTING]: [
    "ListingService/ListListings",
    "ListingService/SearchListings",
    "ListingService/PreviewListing",
  ],
  [ResourceType.PUBLISH_JOB]: [
    "PublishService/ListPublishJobs",
    "PublishService/ListPublishSteps",
    "PublishService/ListScreenshots",
  ],
  [ResourceType.THREAD]: [
    "InboxService/ListThreads",
    "InboxService/GetInboxCounts",
    "InboxService/GetPerson",
    "InboxService/Search",
  ],
  [ResourceType.MESSAGE]: ["InboxService/ListMessages", "InboxService/Search"],
  [ResourceType.REPLY]: ["InboxService/ListReplies"],
  [ResourceType.TEMPLATE]: ["TemplateService/ListTemplates", "TemplateService/PreviewTemplate"],
  [ResourceType.WEBHOOK_ENDPOINT]: ["WebhookService/ListEndpoints"],
  [ResourceType.USER]: ["AuthService/ListUsers", "AuthService/GetMe", "AuthService/ListInvitations"],
  [ResourceType.USER_SESSION]: ["AuthService/ListUserSessions"],
};

/** The fields that the answer to a call has and the resource of an event lacks. */
const absentInEvents: Readonly<Partial<Record<ResourceType, readonly string[]>>> = {
  [ResourceType.PUBLISH_JOB]: ["confirmation", "stepTimeline"],
  [ResourceType.REPLY]: ["confirmation"],
};

/** What became stale and is not marked yet. Many events may arrive at once, and each list is read once for them. */
interface Stale {
  methods: Set<string>;
  ids: Set<string>;
  queries: Set<Query>;
}

const batchMs = 100;
const batches = new WeakMap<QueryClient, Stale>();
/** The queries that are under way and have to be read once more. */
const readAgain = new WeakSet<Query>();

/**
 * Applies an event to all cached answers: replaces older versions of its resource at once, and a moment later marks the
 * lists as stale whose order or members may have changed. TanStack Query then reads the visible ones again.
 */
export function applyEvent(client: QueryClient, event: Event): void {
  const { resourceType, resourceId } = event;
  const resource = versioned(event.resource);
  const kept = absentInEvents[resourceType] ?? [];
  const id = new Set([resourceId]);
  const stale = batchOf(client);
  for (const method of listsOf[resourceType] ?? []) stale.methods.add(method);
  if (resource === undefined || kept.length > 0) stale.ids.add(resourceId);
  for (const query of client.getQueryCache().findAll({ predicate: isOurs })) {
    const { data, dataUpdatedAt, isInvalidated } = query.state;
    // The answer may be from before the event.
    if (isUnderWay(query) && (contains(query.queryKey, id) || contains(data, id))) stale.queries.add(query);
    if (resource === undefined) continue;
    const replaced = replace(data, resource, kept);
    if (replaced === data) continue;
    // This is no read: the answer's age and its mark stay.
    client.setQueryData(query.queryKey, replaced, { updatedAt: dataUpdatedAt });
    if (isInvalidated) query.invalidate();
  }
}

function batchOf(client: QueryClient): Stale {
  const known = batches.get(client);
  if (known !== undefined) return known;
  const stale: Stale = { methods: new Set(), ids: new Set(), queries: new Set() };
  batches.set(client, stale);
  setTimeout(() => {
    batches.delete(client);
    const isStale = (query: Query): boolean => {
      const method = methodOf(query);
      if (method === undefined) return false;
      return stale.methods.has(method) || stale.queries.has(query) || contains(query.state.data, stale.ids);
    };
    markStale(client, client.getQueryCache().findAll({ predicate: isStale }));
  }, batchMs);
  return stale;
}

/** Marks all answers of vintedbot as stale that were received before a time, in milliseconds since 1970. */
export function invalidateBefore(client: QueryClient, timeMs: number): void {
  const predicate = (query: Query): boolean => isOurs(query) && query.state.dataUpdatedAt <= timeMs;
  markStale(client, client.getQueryCache().findAll({ predicate }));
}

/**
 * Marks answers as stale. One that is under way is completed first and then read once more: it may be from before the
 * change, and a restart at each event would prevent it from ever being shown.
 */
function markStale(client: QueryClient, queries: readonly Query[]): void {
  const idle = new Set(queries.filter((query) => !isUnderWay(query)));
  void client.invalidateQueries({ predicate: (query) => idle.has(query) });
  for (const query of queries) {
    if (idle.has(query) || readAgain.has(query)) continue;
    readAgain.add(query);
    const read = (): void => {
      readAgain.delete(query);
      void client.invalidateQueries({ predicate: (one) => one === query });
    };
    query.promise?.then(read, read);
  }
}

function isUnderWay({ state }: Query): boolean {
  return state.fetchStatus === "fetching";
}

/** Returns `Service/Method` of a query of connect-query. Absent for another query. */
function methodOf({ queryKey }: Query): string | undefined {
  const [kind, details] = queryKey as [unknown, { serviceName?: string; methodName?: string } | undefined];
  const service = details?.serviceName ?? "";
  if (kind !== "connect-query" || !service.startsWith("vintedbot.v1.")) return undefined;
  return `${service.slice("vintedbot.v1.".length)}/${details?.methodName ?? ""}`;
}

function isOurs(query: Query): boolean {
  return methodOf(query) !== undefined;
}

function versioned(resource: Resource | undefined): Versioned | undefined {
  const value = resource?.resource.value;
  return value !== undefined && "sequence" in value ? value : undefined;
}

/** Returns data in which an older version of the resource is replaced, or the data itself if it contains none. */
function replace(data: unknown, resource: Versioned, kept: readonly string[]): unknown {
  if (Array.isArray(data)) {
    const entries: unknown[] = data.map((entry) => replace(entry, resource, kept));
    return entries.some((entry, at) => entry !== data[at]) ? entries : data;
  }
  if (isResource(data, resource)) {
    return data.sequence < resource.sequence ? successor(data, resource, kept) : data;
  }
  if (!isContainer(data)) return data;
  const changed = Object.entries(data)
    .map(([key, value]) => [key, replace(value, resource, kept)] as const)
    .filter(([key, value]) => value !== data[key]);
  return changed.length === 0 ? data : copy(data, Object.fromEntries(changed));
}

/** Returns the resource with the fields of the known version that events lack. They stay until they are read again. */
function successor(known: Versioned, resource: Versioned, kept: readonly string[]): Versioned {
  if (kept.length === 0) return resource;
  const before = known as unknown as Record<string, unknown>;
  const after = resource as unknown as Record<string, unknown>;
  // A confirmation is valid in one state.
  const fields = kept.filter((name) => name !== "confirmation" || before["state"] === after["state"]);
  return copy(resource, Object.fromEntries(fields.map((name) => [name, before[name]])));
}

function copy<T extends object>(original: T, changes: object): T {
  return Object.assign(Object.create(Object.getPrototypeOf(original) as object) as T, original, changes);
}

/** Returns whether data contains an object with one of these ids. */
function contains(data: unknown, ids: ReadonlySet<string>): boolean {
  if (ids.size === 0) return false;
  if (Array.isArray(data)) return data.some((entry) => contains(entry, ids));
  if (!isContainer(data)) return false;
  const { id } = data;
  return (typeof id === "string" && ids.has(id)) || Object.values(data).some((value) => contains(value, ids));
}

function isResource(data: unknown, resource: Versioned): data is Versioned {
  return isMessage(data) && data.$typeName === resource.$typeName && (data as Versioned).id === resource.id;
}

function isContainer(data: unknown): data is Record<string, unknown> {
  return typeof data === "object" && data !== null && !(data instanceof Uint8Array);
}
