import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { AccountService, callError, createConnection } from "@vintedbot/sdk";
import { useQuery, useWatch, VintedbotProvider } from "@vintedbot/sdk/react";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

const connection = createConnection({
  baseUrl: import.meta.env["VITE_API_BASE_URL"] as string,
  auth: { token: import.meta.env["VITE_TOKEN"] as string },
});

function Accounts() {
  const live = useWatch();
  const { data, error } = useQuery(AccountService.method.listAccounts);
  return (
    <>
      <p>{error ? callError(error).message : live.status}</p>
      <ul>
        {data?.accounts.map(({ id, displayName }) => (
          <li key={id}>{displayName}</li>
        ))}
      </ul>
    </>
  );
}

createRoot(document.body.appendChild(document.createElement("main"))).render(
  <StrictMode>
    <QueryClientProvider client={new QueryClient()}>
      <VintedbotProvider vintedbot={connection}>
        <Accounts />
      </VintedbotProvider>
    </QueryClientProvider>
  </StrictMode>,
);
