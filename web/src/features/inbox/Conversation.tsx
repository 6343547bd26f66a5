import { Archive, ArchiveRestore, ArrowLeft, Clock, MailOpen, Tag, UserRound } from "lucide-react";
import {
  Message_Author as Author,
  Message_OfferRequest_State as OfferState,
  timestampDate,
  type Message,
  type Thread,
} from "@vintedbot/sdk";
import { lazy, Suspense, useEffect, useLayoutEffect, useRef, useState, type ReactNode } from "react";
import { Link } from "react-router";

import { useRecord } from "../../data/hooks";
import { useProblem } from "../../data/problem";
import { resources } from "../../data/store";
import { currentLocale, useTexts } from "../../i18n";
import { Button, buttonClasses, IconButton } from "../../ui/Button";
import { classes } from "../../ui/classes";
import { formatAmount } from "../../ui/amount";
import { Money } from "../../ui/Money";
import { Notice } from "../../ui/Notice";
import { Skeleton } from "../../ui/Skeleton";
import { Time } from "../../ui/Time";
import { isSnoozed } from "./threadFilter";
import { changes, openMessages, openReplies, readThread } from "./inbox";
import { useOpenList } from "./useOpen";

const Composer = lazy(() => import("./Composer"));
const Replies = lazy(() => import("./Replies"));

export interface ConversationProps {
  threadId: string;
  backTo: string;
  onArchive: () => void;
  onSnooze: () => void;
  onMark: () => void;
  onLabel: () => void;
  onPerson: () => void;
}

/** One conversation: its actions, its messages, the open replies and the draft. */
export function Conversation(props: ConversationProps): ReactNode {
  const t = useTexts();
  const { threadId, backTo } = props;
  const thread = useRecord(resources.threads, threadId);
  const [error, setError] = useState<unknown>();
  const problem = useProblem(error);
  const isKnown = thread !== undefined;
  useMissingThread(threadId, isKnown, setError);
  useReading(threadId, thread?.unread ?? false, thread?.messageCount ?? 0);
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    // After navigation, screen readers begin at the conversation. The list retains the focus while its keys are used.
    if (document.activeElement === document.body) heading.current?.focus({ preventScroll: true });
  }, [threadId]);
  if (thread === undefined) {
    return (
      <div className="p-4">
        <BackLink to={backTo} />
        {problem === undefined ? <Skeleton label={t.app.loading} /> : <Notice problem={problem} />}
      </div>
    );
  }
  const { person, item, transaction } = thread;
  const snoozed = isSnoozed(thread, Date.now());
  const names = t.inbox.commands;
  return (
    <section aria-labelledby="thread-title" className="flex h-full flex-col">
      <header className="flex flex-wrap items-center gap-x-2 gap-y-1 border-b border-line bg-card p-2">
        <BackLink to={backTo} />
        <div className="min-w-0 flex-1 basis-40 px-1">
          <h2 ref={heading} id="thread-title" tabIndex={-1} className="truncate font-semibold">
            {person?.isSystem ? t.inbox.site : person?.login}
          </h2>
          <p className="truncate text-sm text-soft">
            {item?.title} {transaction?.price !== undefined && <Money amount={transaction.price} />}
          </p>
        </div>
        <div data-actions={threadId} className="flex">
          <IconButton
            label={`${thread.archived ? names.unarchive : names.archive} (e)`}
            onClick={props.onArchive}
          >
            {thread.archived ? <ArchiveRestore aria-hidden size={18} /> : <Archive aria-hidden size={18} />}
          </IconButton>
          <IconButton label={`${snoozed ? names.unsnooze : names.snooze} (s)`} onClick={props.onSnooze}>
            <Clock aria-hidden size={18} />
          </IconButton>
          <IconButton
            label={`${thread.unread ? names.markRead : names.markUnread} (u)`}
            onClick={props.onMark}
          >
            <MailOpen aria-hidden size={18} />
          </IconButton>
          <IconButton label={`${names.label} (l)`} onClick={props.onLabel}>
            <Tag aria-hidden size={18} />
          </IconButton>
          <IconButton label={names.person} className="xl:hidden" onClick={props.onPerson}>
            <UserRound aria-hidden size={18} />
          </IconButton>
        </div>
      </header>
      <Messages thread={thread} />
      <OpenReplies thread={thread} />
      <Suspense fallback={null}>
        <Composer key={threadId} thread={thread} />
      </Suspense>
    </section>
  );
}

function OpenReplies({ thread }: { thread: Thread }): ReactNode {
  const [, { ids }] = useOpenList(() => openReplies(thread.id), thread.id);
  if (ids.length === 0) return null;
  return (
    <Suspense fallback={null}>
      <Replies key={thread.id} thread={thread} ids={ids} />
    </Suspense>
  );
}

function BackLink({ to }: { to: string }): ReactNode {
  const t = useTexts().inbox;
  return (
    <Link
      to={to}
      aria-label={t.back}
      title={t.back}
      className={classes(buttonClasses("quiet", true), "md:hidden")}
    >
      <ArrowLeft aria-hidden size={20} />
    </Link>
  );
}

/** Reads a thread that no list has loaded, for example after a reload. */
function useMissingThread(threadId: string, isKnown: boolean, onError: (error: unknown) => void): void {
  useEffect(() => {
    onError(undefined);
    if (!isKnown) readThread(threadId).catch(onError);
  }, [threadId, isKnown, onError]);
}

/** Marks the thread as read when the person looks at it, once for each visit and for each new message. */
function useReading(threadId: string, isUnread: boolean, messageCount: number): void {
  const visited = useRef("");
  useEffect(() => {
    const seen = `${threadId} ${messageCount}`;
    // The person has marked the open thread as unread.
    if (isUnread && (visited.current === seen || document.hidden)) return;
    visited.current = seen;
    if (!isUnread) return;
    resources.threadCommands.execute(changes.mark(threadId, false));
  }, [threadId, isUnread, messageCount]);
}

const nearEndPx = 80;

function Messages({ thread }: { thread: Thread }): ReactNode {
  const t = useTexts();
  const [list, view] = useOpenList(() => openMessages(thread.id), thread.id);
  const problem = useProblem(view.error);
  const box = useRef<HTMLDivElement>(null);
  const place = useRef({ isAtEnd: true, fromEnd: 0 });
  const [missed, setMissed] = useState(0);
  const count = view.ids.length;
  const before = useRef(count);
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    const added = count - before.current;
    before.current = count;
    if (place.current.isAtEnd) element.scrollTop = element.scrollHeight;
    // Older messages came above: what the person reads stays in place.
    else if (element.scrollTop < nearEndPx) element.scrollTop = element.scrollHeight - place.current.fromEnd;
    else if (added > 0) setMissed((known) => known + added);
  }, [count]);
  const onScroll = (): void => {
    const element = box.current;
    if (element === null) return;
    const isAtEnd = element.scrollHeight - element.scrollTop - element.clientHeight < nearEndPx;
    place.current = { isAtEnd, fromEnd: element.scrollHeight - element.scrollTop };
    if (isAtEnd) setMissed(0);
  };
  return (
    <div className="relative flex min-h-0 flex-1 flex-col">
      <div
        ref={box}
        onScroll={onScroll}
        tabIndex={0}
        role="log"
        aria-labelledby="thread-title"
        className="flex min-h-0 flex-1 flex-col gap-2 overflow-y-auto p-3 -outline-offset-2"
      >
        {problem !== undefined && <Notice problem={problem} onRetry={() => void list.reload()} />}
        {count === 0 && view.status === "loading" && <Skeleton rows={4} label={t.app.loading} />}
        {view.hasMore && (
          <Button className="self-center" busy={view.status === "loading"} onClick={() => void list.more()}>
            {t.inbox.older}
          </Button>
        )}
        {view.ids.toReversed().map((id) => (
          <Entry key={id} id={id} login={thread.person?.login ?? ""} />
        ))}
      </div>
      {missed > 0 && (
        <Button
          kind="primary"
          className="absolute bottom-2 left-1/2 -translate-x-1/2 rounded-full shadow-lg"
          onClick={() => box.current?.scrollTo({ top: box.current.scrollHeight })}
        >
          {t.inbox.newer(missed)}
        </Button>
      )}
    </div>
  );
}

function Entry({ id, login }: { id: string; login: string }): ReactNode {
  const t = useTexts().inbox;
  const message = useRecord(resources.messages, id);
  if (message === undefined) return null;
  const { author, attachments, hidden, time, read } = message;
  if (author === Author.SITE) {
    return (
      <p className="row-lazy self-center rounded-md bg-raised px-3 py-1 text-center text-sm whitespace-pre-line">
        {message.text === "" && message.content.case === "unknown" ? t.unknownEntry : message.text}
      </p>
    );
  }
  const isOwn = author === Author.ACCOUNT;
  return (
    <article
      className={classes(
        "row-lazy flex max-w-[85%] flex-col gap-1 rounded-lg border px-3 py-2",
        isOwn ? "self-end border-transparent bg-accent-soft" : "self-start border-line bg-card",
      )}
    >
      <h3 className="text-xs text-soft">
        {isOwn ? t.you : login} {time !== undefined && <Time date={timestampDate(time)} />}
        {isOwn && read && <span> · {t.read}</span>}
      </h3>
      {hidden ? (
        <p className="text-soft italic">{t.hidden}</p>
      ) : (
        <p className="whitespace-pre-wrap">{message.text}</p>
      )}
      <Offer message={message} />
      {attachments.length > 0 && <p className="text-sm text-soft">{t.photos(attachments.length)}</p>}
    </article>
  );
}

function Offer({ message: { content } }: { message: Message }): ReactNode {
  const t = useTexts().inbox;
  if (content.case !== "offerRequest" && content.case !== "sellerOffer") return null;
  const { price, originalPrice } = content.value;
  const locale = currentLocale();
  const state = content.case === "offerRequest" ? content.value.state : OfferState.UNSPECIFIED;
  const text = t.offerOf(
    price === undefined ? "" : formatAmount(price, locale),
    originalPrice === undefined ? "" : formatAmount(originalPrice, locale),
  );
  const stateText = t.offerStates[state] ?? "";
  return (
    <p className="rounded bg-warn-soft px-2 py-1 text-sm">
      {text}
      {stateText !== "" && `: ${stateText}`}
    </p>
  );
}
