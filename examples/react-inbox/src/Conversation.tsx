import type { FormEvent } from "react";

import {
  InboxService,
  Message_Author as Author,
  Reply_State as State,
  timestampDate,
  type Message,
} from "@vintedbot/sdk";
import { useMutation, useQuery } from "@vintedbot/sdk/react";

import { Problem } from "./Problem";

const { listMessages, listReplies, getReply, sendReply, confirmReply, cancelReply, retryReply } =
  InboxService.method;

/** The states of replies that are neither messages already nor withdrawn. */
const open = [
  State.AWAITING_CONFIRMATION,
  State.QUEUED,
  State.SENDING,
  State.UNCONFIRMED,
  State.BLOCKED,
  State.FAILED,
];

/** Shows the messages of a thread, its unsent replies, and a form for the next reply. */
export function Conversation({ threadId }: { threadId: string }) {
  const messages = useQuery(listMessages, { threadId });
  const replies = useQuery(listReplies, { threadId, states: open });
  return (
    <section>
      <Problem error={messages.error ?? replies.error} />
      {messages.data?.messages.toReversed().map((message) => (
        <Entry key={message.id} message={message} />
      ))}
      {replies.data?.replies.toReversed().map(({ id }) => (
        <UnsentReply key={id} id={id} />
      ))}
      <ReplyForm threadId={threadId} />
    </section>
  );
}

function Entry({ message: { author, text, time } }: { message: Message }) {
  return (
    <p className={author === Author.ACCOUNT ? "ours" : author === Author.SITE ? "site" : "theirs"}>
      {text}
      {time !== undefined && <small>{timestampDate(time).toLocaleString()}</small>}
    </p>
  );
}

/** Accepts a reply, which is not sent before the person confirms it. */
function ReplyForm({ threadId }: { threadId: string }) {
  const send = useMutation(sendReply);
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = event.currentTarget;
    const text = String(new FormData(form).get("text") ?? "");
    send.mutate({ threadId, text, manual: true }, { onSuccess: () => form.reset() });
  };
  return (
    <form onSubmit={submit}>
      <textarea name="text" maxLength={4000} placeholder="Your reply" required />
      <button disabled={send.isPending}>Review</button>
      <Problem error={send.error} />
    </form>
  );
}

/** Shows a reply that is not sent yet, with what the person can do. Only `GetReply` returns the confirmation. */
function UnsentReply({ id }: { id: string }) {
  const { data, error } = useQuery(getReply, { id });
  const confirm = useMutation(confirmReply);
  const cancel = useMutation(cancelReply);
  const retry = useMutation(retryReply);
  const reply = data?.reply;
  if (reply === undefined) return <Problem error={error} />;
  const { state, text, reasonMessage, requiresAction, confirmation } = reply;
  return (
    <div className="reply">
      <blockquote>{text}</blockquote>
      <small>{State[state]?.toLowerCase().replaceAll("_", " ")}</small>
      {reasonMessage !== "" && <p role={requiresAction ? "alert" : undefined}>{reasonMessage}</p>}
      {confirmation !== undefined && (
        <button
          disabled={confirm.isPending}
          onClick={() => confirm.mutate({ id, confirmation, dryRun: false })}
        >
          Send it
        </button>
      )}
      {(state === State.AWAITING_CONFIRMATION || state === State.QUEUED) && (
        <button disabled={cancel.isPending} onClick={() => cancel.mutate({ id })}>
          Discard
        </button>
      )}
      {(state === State.BLOCKED || state === State.FAILED) && (
        <button disabled={retry.isPending} onClick={() => retry.mutate({ id })}>
          Try again
        </button>
      )}
      <Problem error={confirm.error ?? cancel.error ?? retry.error} />
    </div>
  );
}
