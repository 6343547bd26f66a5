import type {
  DescMethodUnary,
  DescService,
  Message,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import { QueryClient, useQuery, type UseQueryResult } from "@tanstack/react-query";
import { stringify } from "@vintedbot/sdk";

import { authState, subscribe } from "./auth";
import { connection } from "./connection";

/** Answers of calls whose resources the event log does not update. */
export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      // The connection repeats what is safe to repeat.
      retry: false,
      refetchOnWindowFocus: true,
    },
  },
});

// The answers are those of the person who was signed in.
subscribe(() => {
  if (authState().status !== "in") queries.clear();
});

type Method = DescMethodUnary & { parent: DescService };

/** Calls a method of the contract. */
export async function call<M extends Method>(
  method: M,
  request: MessageInitShape<M["input"]>,
  signal?: AbortSignal,
): Promise<MessageShape<M["output"]>> {
  const client = connection.client(method.parent) as Record<string, (...args: unknown[]) => Promise<Message>>;
  const send = client[method.localName];
  if (send === undefined) throw new Error(`the client has no ${method.name}`);
  return (await send(request, signal === undefined ? {} : { signal })) as MessageShape<M["output"]>;
}

function keyOf(method: Method, request: unknown): readonly unknown[] {
  return [method.parent.typeName, method.name, stringify(request)];
}

/** Reads with a method of the contract, and caches the answer for other components. */
export function useCall<M extends Method>(
  method: M,
  request: MessageInitShape<M["input"]>,
  { enabled = true }: { enabled?: boolean } = {},
): UseQueryResult<MessageShape<M["output"]>> {
  const options = {
    queryKey: keyOf(method, request),
    queryFn: ({ signal }: { signal: AbortSignal }) => call(method, request, signal),
    enabled,
  };
  return useQuery(options, queries);
}

/** Reads the answers of a method again. */
export function refresh(method: Method): void {
  void queries.invalidateQueries({ queryKey: [method.parent.typeName, method.name] });
}

/** Puts a newer answer in place of the known one. */
export function replaceAnswer<M extends Method>(
  method: M,
  request: MessageInitShape<M["input"]>,
  change: (answer: MessageShape<M["output"]>) => MessageShape<M["output"]>,
): void {
  queries.setQueryData<MessageShape<M["output"]>>(keyOf(method, request), (known) => known && change(known));
}
