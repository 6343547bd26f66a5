import { callError } from "@vintedbot/sdk";

/** Shows an error. The server's message says what to do, and the id finds the call in the server's log. */
export function Problem({ error }: { error: unknown }) {
  if (error === undefined || error === null) return null;
  const { message, requestId } = callError(error);
  return (
    <p role="alert" title={requestId}>
      {message}
    </p>
  );
}
