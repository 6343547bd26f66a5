import assert from "node:assert/strict";
import { test } from "node:test";

import { createRouterTransport } from "@connectrpc/connect";

import {
  createServices,
  InboxService,
  ListingService,
  paginate,
  type ListThreadsRequest,
  type Thread,
} from "../src/index.js";

/** A server with pages of threads, whose tokens are the numbers of the pages. */
function paged(...pages: string[][]) {
  const requests: ListThreadsRequest[] = [];
  const transport = createRouterTransport(({ service }) => {
    service(InboxService, {
      listThreads: (request) => {
        requests.push(request);
        const page = Number(request.pageToken || 0);
        return {
          threads: (pages[page] ?? []).map((id) => ({ id })),
          nextPageToken: page + 1 < pages.length ? String(page + 1) : "",
        };
      },
    });
    service(ListingService, {});
  });
  return { requests, vintedbot: createServices(transport) };
}

async function ids(threads: AsyncIterable<Thread>): Promise<string[]> {
  const found: string[] = [];
  for await (const { id } of threads) found.push(id);
  return found;
}

test("all pages are listed with the same parameters", async () => {
  const { requests, vintedbot } = paged(["a", "b"], [], ["c"]);
  const request = { accountIds: ["x"], pageSize: 2 };
  assert.deepEqual(await ids(paginate(vintedbot.inbox.listThreads, request, "threads")), ["a", "b", "c"]);
  assert.deepEqual(
    requests.map(({ accountIds, pageSize, pageToken }) => [...accountIds, pageSize, pageToken]),
    [
      ["x", 2, ""],
      ["x", 2, "1"],
      ["x", 2, "2"],
    ],
  );
  assert.deepEqual(request, { accountIds: ["x"], pageSize: 2 });
});

test("empty list has no entries", async () => {
  const { requests, vintedbot } = paged([]);
  assert.deepEqual(await ids(paginate(vintedbot.inbox.listThreads, {}, "threads")), []);
  assert.equal(requests.length, 1);
});

test("given page token is the start", async () => {
  const { vintedbot } = paged(["a"], ["b"], ["c"]);
  assert.deepEqual(await ids(paginate(vintedbot.inbox.listThreads, { pageToken: "1" }, "threads")), [
    "b",
    "c",
  ]);
});

test("next page is requested when it is needed", async () => {
  const { requests, vintedbot } = paged(["a", "b"], ["c"]);
  for await (const { id } of paginate(vintedbot.inbox.listThreads, {}, "threads")) if (id === "b") break;
  assert.equal(requests.length, 1);
});

test("options apply to each page", async () => {
  const { vintedbot } = paged(["a"], ["b"]);
  const abort = new AbortController();
  const threads = paginate(vintedbot.inbox.listThreads, {}, "threads", { signal: abort.signal });
  await threads.next();
  abort.abort();
  await assert.rejects(threads.next(), /canceled/);
});

test("error of a page is thrown", async () => {
  const { vintedbot } = paged();
  await assert.rejects(paginate(vintedbot.listings.listListings, {}, "listings").next(), /unimplemented/i);
});

test("only fields with entries compile", () => {
  const { vintedbot } = paged();
  const compiles = (): void => {
    const threads: AsyncIterable<Thread> = paginate(vintedbot.inbox.listThreads, {}, "threads");
    // @ts-expect-error A page of threads has no listings.
    paginate(vintedbot.inbox.listThreads, {}, "listings");
    // @ts-expect-error A token is no list.
    paginate(vintedbot.inbox.listThreads, {}, "nextPageToken");
    // @ts-expect-error The name of the request's field is wrong.
    paginate(vintedbot.inbox.listThreads, { accountId: "x" }, "threads");
    // @ts-expect-error GetThread has no pages.
    paginate(vintedbot.inbox.getThread, { id: "x" }, "thread");
    // @ts-expect-error The entries are threads.
    const strings: AsyncIterable<string> = paginate(vintedbot.inbox.listThreads, {}, "threads");
    void threads;
    void strings;
  };
  void compiles;
});
