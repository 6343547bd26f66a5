import { useState, type FormEvent } from "react";

import { QueryClientProvider } from "@tanstack/react-query";
import { AuthService, ErrorReason, InboxService, isReason, type User } from "@vintedbot/sdk";
import { useMutation, useQuery, useWatch, VintedbotProvider, type LiveState } from "@vintedbot/sdk/react";

import { Conversation } from "./Conversation";
import { Problem } from "./Problem";
import { queryClient, vintedbot } from "./vintedbot";

export function App() {
  return (
    <QueryClientProvider client={queryClient}>
      <VintedbotProvider vintedbot={vintedbot}>
        <Session />
      </VintedbotProvider>
    </QueryClientProvider>
  );
}

/** Shows the inbox to a signed-in person, and the sign-in to others. */
function Session() {
  const me = useQuery(AuthService.method.getMe);
  const live = useWatch({ enabled: me.isSuccess });
  if (me.isPending) return <p>Connecting…</p>;
  if (isReason(me.error, ErrorReason.TOKEN_MISSING)) return <SignIn />;
  if (me.error !== null) return <Problem error={me.error} />;
  return (
    <>
      <Header user={me.data.user} live={live} />
      <Inbox />
    </>
  );
}

function SignIn() {
  const [error, setError] = useState<unknown>();
  const needsCode = isReason(error, ErrorReason.SECOND_FACTOR_REQUIRED, ErrorReason.SECOND_FACTOR_INVALID);
  const submit = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string): string => String(form.get(name) ?? "");
    try {
      await vintedbot.session.signIn({
        email: text("email"),
        password: text("password"),
        code: text("code"),
      });
      await queryClient.resetQueries();
    } catch (thrown) {
      setError(thrown);
    }
  };
  return (
    <form className="sign-in" onSubmit={(event) => void submit(event)}>
      <h1>Sign in</h1>
      <input name="email" type="email" placeholder="E-mail" autoComplete="username" required />
      <input
        name="password"
        type="password"
        placeholder="Password"
        autoComplete="current-password"
        required
      />
      {needsCode && (
        <input name="code" placeholder="Code of your app" autoComplete="one-time-code" autoFocus />
      )}
      <button>Sign in</button>
      <Problem error={error} />
    </form>
  );
}

/** `live.status` is the state of the stream of events. While it is not "live", new messages do not appear. */
function Header({ user, live }: { user: User | undefined; live: LiveState }) {
  return (
    <header>
      <strong>{user?.displayName}</strong>
      <output className={live.status}>
        {"error" in live ? `${live.status}: ${live.error.message}` : live.status}
      </output>
      <button onClick={() => void vintedbot.session.signOut()}>Sign out</button>
    </header>
  );
}

function Inbox() {
  const [openId, setOpenId] = useState<string>();
  const { data, error } = useQuery(InboxService.method.listThreads);
  const markRead = useMutation(InboxService.method.markThreads);
  const open = (id: string): void => {
    setOpenId(id);
    markRead.mutate({ ids: [id] });
  };
  if (error !== null) return <Problem error={error} />;
  return (
    <main>
      <nav>
        {data?.threads.map((thread) => (
          <button
            key={thread.id}
            className={thread.unread ? "unread" : undefined}
            aria-current={thread.id === openId}
            onClick={() => open(thread.id)}
          >
            <strong>{thread.person?.login}</strong>
            <small>{thread.item?.title}</small>
            {thread.snippet}
          </button>
        ))}
        {data?.threads.length === 0 && <p>No messages yet.</p>}
      </nav>
      {openId !== undefined && <Conversation key={openId} threadId={openId} />}
    </main>
  );
}
