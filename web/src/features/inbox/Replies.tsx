import {
  ErrorReason,
  Reply_State as State,
  timestampDate,
  type Message,
  type Reply,
  type Thread,
} from "@vintedbot/sdk";
import { useEffect, useRef, useState, type ReactNode } from "react";

import { useLine, useRecord } from "../../data/hooks";
import { describe, describeReason } from "../../data/problem";
import { resources } from "../../data/store";
import { useTexts } from "../../i18n";
import { Button } from "../../ui/Button";
import { Notice, type Problem } from "../../ui/Notice";
import { Time } from "../../ui/Time";
import { toast } from "../../ui/toasts";
import { draftOf } from "./draftStore";
import { inbox, openMessages } from "./inbox";
import { evidence } from "./replyState";
import { useOpenList } from "./useOpen";

/** The replies of a thread that are not sent: to confirm, on their way, in doubt, or failed. */
export default function Replies({ thread, ids }: { thread: Thread; ids: readonly string[] }): ReactNode {
  const [dismissed, setDismissed] = useState<readonly string[]>([]);
  const shown = ids.filter((id) => !dismissed.includes(id));
  if (shown.length === 0) return null;
  return (
    <div className="flex max-h-[50vh] shrink-0 flex-col gap-2 overflow-y-auto border-t border-line p-2">
      {shown.map((id) => (
        <OpenReply key={id} id={id} thread={thread} onDismiss={() => setDismissed([...dismissed, id])} />
      ))}
    </div>
  );
}

interface ReplyProps {
  reply: Reply;
  thread: Thread;
  /** Runs a call, and shows why it failed. */
  act: (run: () => Promise<{ reply?: Reply | undefined }>) => Promise<boolean>;
  isBusy: boolean;
}

function OpenReply({
  id,
  thread,
  onDismiss,
}: {
  id: string;
  thread: Thread;
  onDismiss: () => void;
}): ReactNode {
  const reply = useRecord(resources.replies, id);
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  if (reply === undefined) return null;
  const act: ReplyProps["act"] = async (run) => {
    if (isBusy) return false;
    setBusy(true);
    setProblem(undefined);
    try {
      const { reply: answer } = await run();
      if (answer !== undefined) resources.replies.apply(answer);
      return true;
    } catch (thrown) {
      setProblem(await describe(thrown));
      return false;
    } finally {
      setBusy(false);
    }
  };
  const props: ReplyProps = { reply, thread, act, isBusy };
  return (
    <div
      data-reply={State[reply.state]}
      className="flex flex-col gap-2 rounded-md border border-line bg-card p-3 text-sm"
    >
      {problem !== undefined && <Notice problem={problem} />}
      {reply.state === State.AWAITING_CONFIRMATION && <ToConfirm {...props} />}
      {(reply.state === State.QUEUED || reply.state === State.SENDING) && <OnItsWay {...props} />}
      {reply.state === State.UNCONFIRMED && <InDoubt {...props} />}
      {(reply.state === State.FAILED || reply.state === State.BLOCKED) && (
        <Stopped {...props} onDismiss={onDismiss} />
      )}
    </div>
  );
}

function Text({ children }: { children: string }): ReactNode {
  return <blockquote className="rounded bg-raised p-2 whitespace-pre-wrap">{children}</blockquote>;
}

/** The second step: shows exactly what will be sent, and from whom to whom. */
function ToConfirm({ reply, thread, act, isBusy }: ReplyProps): ReactNode {
  const t = useTexts();
  const { isActingOff } = useLine();
  const account = useRecord(resources.accounts, reply.accountId);
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    heading.current?.focus();
  }, []);
  // The draft clears once an answer or an event shows that the reply is under way.
  const send = (): Promise<boolean> =>
    act(async () => {
      const { reply: current } = await inbox.getReply({ id: reply.id });
      const confirmation = current?.confirmation;
      // Another device may have confirmed or cancelled it. A confirmation is only for the text that is shown here.
      if (confirmation === undefined || current?.contentHash !== reply.contentHash)
        return current ? { reply: current } : {};
      // The key is the reply itself: two clicks and two tabs confirm once.
      return inbox.confirmReply({ id: reply.id, confirmation, dryRun: false, requestId: reply.id });
    });
  const edit = async (): Promise<void> => {
    if (!(await act(() => inbox.cancelReply({ id: reply.id })))) return;
    const draft = draftOf(thread);
    // A reply of another program was never a draft.
    if (draft.view().text === "") draft.type(reply.text, -1n);
  };
  return (
    <>
      <h3 ref={heading} tabIndex={-1} className="font-semibold">
        {t.inbox.reply.confirmTitle}
      </h3>
      <p>
        {t.inbox.reply.confirmText(
          thread.person?.login ?? "",
          account?.displayName ?? account?.memberLogin ?? "",
          account?.site ?? "",
        )}
      </p>
      <Text>{reply.text}</Text>
      <div className="flex flex-wrap gap-2">
        <Button
          kind="primary"
          busy={isBusy}
          disabled={isActingOff}
          title={isActingOff ? t.live.acting : undefined}
          onClick={() => void send()}
        >
          {t.inbox.reply.send}
        </Button>
        <Button disabled={isBusy} onClick={() => void edit()}>
          {t.inbox.reply.edit}
        </Button>
      </div>
    </>
  );
}

function OnItsWay({ reply, thread, act, isBusy }: ReplyProps): ReactNode {
  const t = useTexts().inbox.reply;
  const isQueued = reply.state === State.QUEUED;
  const cancel = async (): Promise<void> => {
    if (!(await act(() => inbox.cancelReply({ id: reply.id })))) return;
    const draft = draftOf(thread);
    if (draft.view().text === "") draft.type(reply.text, -1n);
    toast({ text: t.cancelled });
  };
  return (
    <>
      <p role="status">
        <strong>{isQueued ? t.queued : t.sending}</strong>{" "}
        {isQueued && reply.sendTime !== undefined && <Time date={timestampDate(reply.sendTime)} />}{" "}
        {isQueued && t.waitingSend}
      </p>
      <Text>{reply.text}</Text>
      {isQueued && (
        <Button className="self-start" busy={isBusy} onClick={() => void cancel()}>
          {t.cancelSend}
        </Button>
      )}
    </>
  );
}

/** Asks a plain question, with what is known. Nothing here sends the reply again. */
function InDoubt({ reply, thread, act, isBusy }: ReplyProps): ReactNode {
  const t = useTexts().inbox.reply;
  const [, { ids }] = useOpenList(() => openMessages(thread.id), thread.id);
  if (!reply.requiresAction) {
    return (
      <>
        <p role="status">{t.checking}</p>
        <Text>{reply.text}</Text>
      </>
    );
  }
  const messages = ids
    .map((id) => resources.messages.get(id))
    .filter((message): message is Message => message !== undefined)
    .toReversed();
  const own = evidence(messages);
  const resolve = (wasSent: boolean): void =>
    void act(() =>
      inbox.resolveReply({
        id: reply.id,
        outcome: wasSent ? { case: "sent", value: {} } : { case: "notSent", value: {} },
      }),
    );
  return (
    <>
      <h3 className="font-semibold">{t.question}</h3>
      <Text>{reply.text}</Text>
      <p>{t.questionHint}</p>
      {own.length === 0 ? (
        <p className="text-soft">{t.evidenceNone}</p>
      ) : (
        <div>
          <p className="text-soft">{t.evidence}</p>
          <ul>
            {own.map(({ id, text, time }) => (
              <li key={id}>
                {time !== undefined && <Time exact date={timestampDate(time)} className="text-soft" />} {text}
              </li>
            ))}
          </ul>
        </div>
      )}
      <div className="flex flex-wrap gap-2">
        <Button busy={isBusy} onClick={() => resolve(true)}>
          {t.wasSent}
        </Button>
        <Button busy={isBusy} onClick={() => resolve(false)}>
          {t.wasNotSent}
        </Button>
      </div>
    </>
  );
}

function Stopped({
  reply,
  thread,
  act,
  isBusy,
  onDismiss,
}: ReplyProps & { onDismiss: () => void }): ReactNode {
  const t = useTexts();
  const { isActingOff } = useLine();
  const [why, setWhy] = useState<readonly [string, string]>();
  useEffect(() => {
    void describeReason(reply.reason).then(setWhy);
  }, [reply.reason]);
  // The site never gets a text again that it has refused, or that it seems to have.
  const mayRetry =
    reply.reason !== ErrorReason.SITE_REFUSED && reply.reason !== ErrorReason.POSSIBLE_DUPLICATE;
  return (
    <>
      <p role="status">
        <strong>{reply.state === State.BLOCKED ? t.inbox.reply.blocked : t.inbox.reply.failed}.</strong>{" "}
        {why?.[0]} {why?.[1]}
      </p>
      {reply.reason === ErrorReason.SITE_REFUSED && <p>{reply.reasonMessage}</p>}
      <Text>{reply.text}</Text>
      <div className="flex flex-wrap gap-2">
        {mayRetry && (
          <Button
            busy={isBusy}
            disabled={isActingOff}
            title={isActingOff ? t.live.acting : undefined}
            onClick={() => void act(() => inbox.retryReply({ id: reply.id }))}
          >
            {t.app.retry}
          </Button>
        )}
        <Button
          onClick={() => {
            const draft = draftOf(thread);
            const { text } = draft.view();
            // The text that the person is writing stays.
            draft.type(text === "" || text === reply.text ? reply.text : `${text}\n${reply.text}`, -1n);
            onDismiss();
          }}
        >
          {t.inbox.reply.toDraft}
        </Button>
        <Button kind="quiet" onClick={onDismiss}>
          {t.inbox.reply.dismiss}
        </Button>
      </div>
    </>
  );
}
