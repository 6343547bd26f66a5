import { Message_Author as Author, Reply_State, type Message, type Thread } from "@vintedbot/sdk";
import { useEffect, useRef, useState, useSyncExternalStore, type ReactNode } from "react";
import { useLocation } from "react-router";

import { useLine } from "../../data/hooks";
import { describe } from "../../data/problem";
import { resources } from "../../data/store";
import { useTexts } from "../../i18n";
import { Button } from "../../ui/Button";
import { inputClasses } from "../../ui/Field";
import { Notice, type Problem } from "../../ui/Notice";
import { draftOf } from "./draftStore";
import { inbox, openMessages, openReplies } from "./inbox";
import { newerThan } from "./replyState";
import { useOpenList } from "./useOpen";

const textMax = 4_000;

/** Writes a reply. The first of two steps: nothing is sent before the person has seen exactly what will be. */
export default function Composer({ thread }: { thread: Thread }): ReactNode {
  const t = useTexts();
  const { isActingOff } = useLine();
  const [draft] = useState(() => draftOf(thread));
  const view = useSyncExternalStore(draft.subscribe, draft.view);
  const [, messages] = useOpenList(() => openMessages(thread.id), thread.id);
  const [, replies] = useOpenList(() => openReplies(thread.id), thread.id);
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const field = useRef<HTMLTextAreaElement>(null);
  const wantsReply = (useLocation().state as { reply?: boolean } | null)?.reply ?? false;
  useEffect(() => {
    if (wantsReply) field.current?.focus();
  }, [wantsReply]);
  useEffect(() => () => void draft.flush().catch(() => undefined), [draft]);

  if (!thread.replyAllowed) {
    return <p className="border-t border-line bg-card p-3 text-sm text-soft">{t.inbox.reply.notAllowed}</p>;
  }
  const known = messages.ids
    .map((id) => resources.messages.get(id))
    .filter((message): message is Message => message !== undefined);
  const lastPosition = known[0]?.position ?? 0n;
  const newer = newerThan(known.toReversed(), view.basePosition);
  const isAwaiting = replies.ids.some((id) => {
    const reply = resources.replies.get(id);
    return (
      reply !== undefined &&
      reply.text === view.text.trim() &&
      reply.state === Reply_State.AWAITING_CONFIRMATION
    );
  });
  const isTooLong = view.text.length > textMax;
  const isOff =
    view.text.trim() === "" || isTooLong || isActingOff || isAwaiting || view.status === "conflict";

  const review = async (): Promise<void> => {
    const text = view.text.trim();
    if (isOff || isBusy) return;
    setBusy(true);
    setProblem(undefined);
    try {
      await draft.flush();
      // The save may have found a text of another device.
      if (draft.view().status === "conflict") return;
      const { reply } = await inbox.sendReply({
        threadId: thread.id,
        text,
        manual: true,
        clearDraft: false,
        requestId: draft.requestId(text),
      });
      if (reply !== undefined) resources.replies.apply(reply);
    } catch (thrown) {
      setProblem(await describe(thrown));
    } finally {
      setBusy(false);
    }
  };

  const login = thread.person?.login ?? "";
  const status =
    view.text === "" ? "" : view.status === "saved" ? t.inbox.reply.draftSaved : t.inbox.reply.draftLocal;
  return (
    <div className="flex flex-col gap-2 border-t border-line bg-card p-2">
      {problem !== undefined && <Notice problem={problem} />}
      {view.status === "conflict" && (
        <div role="alert" className="flex flex-col gap-2 rounded-md bg-warn-soft p-2 text-sm">
          <p>{t.inbox.reply.conflict}</p>
          <blockquote className="border-l-2 border-line pl-2 whitespace-pre-wrap">{view.theirs}</blockquote>
          <div className="flex flex-wrap gap-2">
            <Button onClick={() => draft.resolve(true)}>{t.inbox.reply.conflictMine}</Button>
            <Button onClick={() => draft.resolve(false)}>{t.inbox.reply.conflictTheirs}</Button>
          </div>
        </div>
      )}
      {view.text !== "" && newer.length > 0 && (
        <div role="status" className="rounded-md bg-warn-soft p-2 text-sm">
          <p className="font-medium">{t.inbox.reply.newer}</p>
          {newer.slice(-3).map(({ id, text, author }) => (
            <p key={id} className="truncate">
              {author === Author.ACCOUNT ? t.inbox.you : login}: {text}
            </p>
          ))}
        </div>
      )}
      <textarea
        ref={field}
        data-composer
        aria-label={t.inbox.reply.label}
        aria-describedby="composer-status"
        placeholder={t.inbox.reply.placeholder(login)}
        rows={3}
        className={`${inputClasses} resize-y`}
        value={view.text}
        onChange={(event) => draft.type(event.target.value, lastPosition)}
        onKeyDown={(event) => {
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
            event.preventDefault();
            void review();
          } else if (event.key === "Escape") event.currentTarget.blur();
        }}
      />
      <div className="flex items-center justify-between gap-2">
        <p id="composer-status" className="text-sm text-soft">
          {isTooLong ? (
            <span className="text-danger">{t.inbox.reply.characters(view.text.length)}</span>
          ) : (
            status
          )}
        </p>
        <Button
          kind="primary"
          busy={isBusy}
          disabled={isOff}
          title={isActingOff ? t.live.acting : t.inbox.reply.reviewHint}
          onClick={() => void review()}
        >
          {t.inbox.reply.review}
        </Button>
      </div>
    </div>
  );
}
