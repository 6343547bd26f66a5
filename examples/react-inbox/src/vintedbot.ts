import { QueryClient } from "@tanstack/react-query";
import { createVintedbot, localTokens } from "@vintedbot/sdk";

/** The cache of all answers. The SDK repeats calls itself. */
export const queryClient = new QueryClient({ defaultOptions: { queries: { retry: false } } });

/** The connection. When the session ends, all answers are dropped, and `GetMe` shows that a person must sign in. */
export const vintedbot = createVintedbot({
  baseUrl: import.meta.env["VITE_API_BASE_URL"] as string,
  auth: { tokens: localTokens(), onSignedOut: () => void queryClient.resetQueries() },
});
