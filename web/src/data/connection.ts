import { createConnection, type SessionConnection } from "@vintedbot/sdk";

import { authState, setAuth } from "./auth";

/** The connection to the server that served this page. */
export const connection: SessionConnection = createConnection({
  baseUrl: new URL(import.meta.env.BASE_URL, location.origin).href,
  timeoutMs: 30_000,
  auth: {
    tokens: "cookies",
    onSignedOut: (error) =>
      setAuth({ status: "out", hasEnded: error !== undefined && authState().status === "in" }),
  },
});
