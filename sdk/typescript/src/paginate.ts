import type { CallOptions } from "@connectrpc/connect";

interface Page {
  nextPageToken: string;
}

/** The fields of a response that hold entries. */
type ListField<O> = { [K in keyof O]: O[K] extends readonly unknown[] ? K : never }[keyof O];
type Entry<O, K extends keyof O> = O[K] extends readonly (infer T)[] ? T : never;

/**
 * Yields the entries of all pages of a list:
 * `for await (const thread of paginate(vintedbot.inbox.listThreads, { unread: true }, "threads"))`. The next page is
 * requested when its first entry is needed.
 */
export async function* paginate<I extends object, O extends Page, K extends ListField<O>>(
  list: (request: I, options?: CallOptions) => Promise<O>,
  request: I,
  field: K,
  options?: CallOptions,
): AsyncGenerator<Entry<O, K>, void, undefined> {
  for (let pageToken: string | undefined; pageToken !== "";) {
    const page: O = await list(pageToken === undefined ? request : { ...request, pageToken }, options);
    yield* page[field] as Entry<O, K>[];
    pageToken = page.nextPageToken;
  }
}
