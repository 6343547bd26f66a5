/**
 * React hooks for vintedbot over TanStack Query. `VintedbotProvider` gives the connection to `useVintedbot`, `useWatch`
 * and the hooks of `@connectrpc/connect-query`: `useQuery(InboxService.method.listThreads, { unread: true })`.
 * `useWatch` keeps their answers current.
 */
import { TransportProvider } from "@connectrpc/connect-query";
import { useQueryClient } from "@tanstack/react-query";
import { createContext, createElement, useContext, useEffect, useRef, useState, type ReactNode } from "react";

import type { Connection } from "../client.js";
import { callError, isReason, type CallError } from "../errors.js";
import { ErrorReason } from "../gen/vintedbot/v1/error_reason_pb.js";
import type { WatchResponse } from "../gen/vintedbot/v1/event_pb.js";
import type { WatchOptions, WatchState } from "../watch.js";
import { applyEvent, invalidateBefore } from "./cache.js";

export {
  createConnectQueryKey,
  skipToken,
  useInfiniteQuery,
  useMutation,
  useQuery,
} from "@connectrpc/connect-query";
export { applyEvent } from "./cache.js";

const ConnectionContext = createContext<Connection | undefined>(undefined);

/** Gives a connection to the hooks below it. It must be inside a `QueryClientProvider`. */
export function VintedbotProvider({ vintedbot, children }: { vintedbot: Connection; children?: ReactNode }) {
  return createElement(
    ConnectionContext.Provider,
    { value: vintedbot },
    createElement(TransportProvider, { transport: vintedbot.transport }, children),
  );
}

/** Returns the connection of the `VintedbotProvider`. */
export function useVintedbot<T extends Connection = Connection>(): T {
  const connection = useContext(ConnectionContext);
  if (connection === undefined) throw new Error("useVintedbot needs a VintedbotProvider above it");
  return connection as T;
}

/** The options of `useWatch`. `cursor`, `snapshot` and `signal` are its own. */
export interface UseWatchOptions extends Pick<WatchOptions, "kinds" | "topics" | "accountIds" | "threadIds"> {
  /** Whether to watch. Default: true. Set it to false while no person is signed in. */
  enabled?: boolean;
  /** Called for each message, after it has been applied, for example to show progress or a notification. */
  onMessage?: (message: WatchResponse) => void;
}

/** The state of the stream. `ended` is permanent: the session has ended, or the server does not allow this page. */
export type LiveState = WatchState | { status: "ended"; error: CallError } | { status: "disabled" };

/**
 * Watches the event log, with one stream for all tabs, and applies each event to the cached answers by its sequence.
 * One call at the root of an app suffices. Returns the state of the stream, for a connection indicator.
 *
 * After a gap that the event log no longer covers, all answers are read again.
 */
export function useWatch({ enabled = true, onMessage, ...filter }: UseWatchOptions = {}): LiveState {
  const connection = useVintedbot();
  const client = useQueryClient();
  const [state, setState] = useState<LiveState>({ status: "connecting" });
  const latest = useRef(onMessage);
  useEffect(() => {
    latest.current = onMessage;
  });
  const key = JSON.stringify(filter);
  useEffect(() => {
    if (!enabled) {
      setState({ status: "disabled" });
      return undefined;
    }
    const end = new AbortController();
    const show = (next: LiveState): void => {
      if (!end.signal.aborted) setState(next);
    };
    const options = { ...(JSON.parse(key) as typeof filter), signal: end.signal, onState: show };
    const follow = async (): Promise<void> => {
      for (let isFirst = true; ;) {
        try {
          for await (const message of connection.watch(options)) {
            // What was read before the stream began may lack changes that no event will report.
            if (isFirst) invalidateBefore(client, Date.now());
            isFirst = false;
            if (message.message.case === "event") applyEvent(client, message.message.value);
            latest.current?.(message);
          }
          return;
        } catch (thrown) {
          if (!isReason(thrown, ErrorReason.CURSOR_EXPIRED, ErrorReason.CURSOR_INVALID)) throw thrown;
          isFirst = true;
        }
      }
    };
    follow().catch((thrown: unknown) => show({ status: "ended", error: callError(thrown) }));
    return () => end.abort();
  }, [connection, client, enabled, key]);
  return state;
}
