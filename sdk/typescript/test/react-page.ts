/** A React page that shows the accounts of a workspace and keeps them current. */
import { createElement as element, StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";

import { Code, ConnectError, createRouterTransport } from "@connectrpc/connect";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";

import {
  AccountService,
  create,
  createConnection,
  WatchResponseSchema,
  type Connection,
  type WatchState,
} from "../src/index.js";
import { ErrorInfoSchema } from "../src/gen/google/rpc/error_details_pb.js";
import { useQuery, useWatch, VintedbotProvider } from "../src/react/index.js";

declare global {
  interface Window {
    /** Shows the page for a server. Returns the function that removes it. */
    show(server: { baseUrl: string; token: string }): () => void;
    /** Shows the page for a server in this page, whose streams `streams` controls. */
    showScripted(): void;
    streams: Stream[];
    setEnabled(isEnabled: boolean): void;
    /** The number of calls of each method. */
    calls: Record<string, number>;
  }
}

/** A stream of the scripted server. */
interface Stream {
  /** Sends a message. */
  send(): void;
  /** Ends the stream with an error of this reason. */
  fail(reason: string): void;
  isAborted: boolean;
}

window.calls = {};
window.streams = [];

function count(method: string): number {
  return (window.calls[method] = (window.calls[method] ?? 0) + 1);
}

function Accounts() {
  const [isEnabled, setEnabled] = useState(true);
  window.setEnabled = setEnabled;
  const { data, error } = useQuery(AccountService.method.listAccounts, {});
  const state = useWatch({ enabled: isEnabled });
  const names = data?.accounts.map(({ id, displayName }) => element("li", { key: id }, displayName)) ?? [];
  return element(
    "main",
    {},
    element(
      "p",
      { id: "state" },
      state.status === "ended" ? `ended: ${state.error.reasonName}` : state.status,
    ),
    element("p", { id: "error" }, error?.message ?? ""),
    element("ul", { id: "accounts" }, ...names),
  );
}

function show(vintedbot: Connection): () => void {
  const root = createRoot(document.body.appendChild(document.createElement("div")));
  const provider = element(VintedbotProvider, { vintedbot }, element(Accounts));
  const client = new QueryClient({ defaultOptions: { queries: { staleTime: Infinity } } });
  root.render(element(StrictMode, {}, element(QueryClientProvider, { client }, provider)));
  return () => root.unmount();
}

window.show = ({ baseUrl, token }) =>
  show(
    createConnection({
      baseUrl,
      auth: { token },
      interceptors: [
        (next) => (request) => {
          count(request.method.name);
          return next(request);
        },
      ],
    }),
  );

window.showScripted = () => {
  const transport = createRouterTransport(({ service }) => {
    service(AccountService, {
      listAccounts: () => ({ accounts: [{ id: "a", displayName: `read ${count("ListAccounts")}` }] }),
    });
  });
  show({ transport, watch: scriptedWatch } as Partial<Connection> as Connection);
};

async function* scriptedWatch({
  signal,
  onState,
}: { signal?: AbortSignal; onState?: (state: WatchState) => void } = {}) {
  const messages: (ConnectError | undefined)[] = [];
  let wake: () => void = () => undefined;
  const push = (message?: ConnectError): void => {
    messages.push(message);
    wake();
  };
  const stream: Stream = {
    send: () => push(),
    fail: (reason) => {
      const value = { reason: `ERROR_REASON_${reason}` };
      push(new ConnectError("no", Code.Aborted, undefined, [{ desc: ErrorInfoSchema, value }]));
    },
    isAborted: false,
  };
  signal?.addEventListener("abort", () => {
    stream.isAborted = true;
    wake();
  });
  window.streams.push(stream);
  onState?.({ status: "connecting" });
  while (!signal?.aborted) {
    if (messages.length === 0) {
      await new Promise<void>((resolve) => (wake = resolve));
      continue;
    }
    const error = messages.shift();
    if (error !== undefined) throw error;
    onState?.({ status: "live" });
    yield create(WatchResponseSchema, {
      cursor: "1",
      message: { case: "checkpoint", value: { sequence: 1n } },
    });
  }
}
