import { InboxService, timestampDate, type Thread } from "@vintedbot/sdk";
import { ArrowLeft } from "lucide-react";
import { useState, type FormEvent, type ReactNode } from "react";
import { Link } from "react-router";

import { useRecord } from "../../data/hooks";
import { useProblem } from "../../data/problem";
import { useCall } from "../../data/query";
import { resources } from "../../data/store";
import { useTexts } from "../../i18n";
import { Button, IconButton } from "../../ui/Button";
import { TextArea } from "../../ui/Field";
import { Money } from "../../ui/Money";
import { Notice } from "../../ui/Notice";
import { Skeleton } from "../../ui/Skeleton";
import { Time } from "../../ui/Time";
import { changes, showResult } from "./inbox";

export interface PersonPaneProps {
  threadId: string;
  link: (id: string) => string;
  onBack: () => void;
}

/** The other member, the note about the thread, and all earlier messages and offers. */
export default function PersonPane({ threadId, link, onBack }: PersonPaneProps): ReactNode {
  const t = useTexts();
  const thread = useRecord(resources.threads, threadId);
  const personId = thread?.person?.id ?? "";
  const answer = useCall(InboxService.method.getPerson, { id: personId }, { enabled: personId !== "" });
  const problem = useProblem(answer.error);
  if (thread === undefined) return null;
  const { person, threads = [], offers = [] } = answer.data ?? {};
  return (
    <section
      aria-label={t.inbox.person.title}
      className="flex h-full flex-col gap-4 overflow-y-auto p-3 text-sm"
    >
      <div className="flex items-center gap-2">
        <IconButton label={t.inbox.back} className="xl:hidden" onClick={onBack}>
          <ArrowLeft aria-hidden size={20} />
        </IconButton>
        <h2 className="text-base font-semibold">
          {thread.person?.isSystem ? t.inbox.site : thread.person?.login}
        </h2>
      </div>
      <dl className="grid grid-cols-[auto_1fr] gap-x-3 gap-y-1">
        <dt className="text-soft">{t.inbox.person.member}</dt>
        <dd>{thread.person?.memberId}</dd>
        <dt className="text-soft">{t.inbox.person.site}</dt>
        <dd>{thread.person?.site}</dd>
      </dl>
      <Note key={threadId} thread={thread} />
      {problem !== undefined && <Notice problem={problem} onRetry={() => void answer.refetch()} />}
      {answer.isLoading && <Skeleton rows={3} label={t.app.loading} />}
      {person !== undefined && (
        <>
          <div>
            <h3 className="font-semibold">{t.inbox.person.offers}</h3>
            {offers.length === 0 && <p className="text-soft">{t.inbox.person.noOffers}</p>}
            <ul>
              {offers.map(({ messageId, offer, time }) => (
                <li key={messageId} className="flex justify-between gap-2 py-1">
                  <span>
                    {offer?.price !== undefined && <Money amount={offer.price} />}{" "}
                    {t.inbox.offerStates[offer?.state ?? 0]}
                  </span>
                  {time !== undefined && <Time date={timestampDate(time)} className="text-soft" />}
                </li>
              ))}
            </ul>
          </div>
          <div>
            <h3 className="font-semibold">{t.inbox.person.threads}</h3>
            <ul>
              {threads.map(({ id, item, snippet, lastMessageTime }) => (
                <li key={id}>
                  <Link
                    to={link(id)}
                    aria-current={id === threadId ? "true" : undefined}
                    className="flex min-h-11 items-center justify-between gap-2 rounded px-1 hover:bg-raised aria-[current]:font-semibold md:min-h-9"
                  >
                    <span className="min-w-0 truncate">{item?.title ?? snippet}</span>
                    {lastMessageTime !== undefined && (
                      <Time date={timestampDate(lastMessageTime)} className="shrink-0 text-soft" />
                    )}
                  </Link>
                </li>
              ))}
            </ul>
          </div>
        </>
      )}
    </section>
  );
}

function Note({ thread }: { thread: Thread }): ReactNode {
  const t = useTexts();
  const [text, setText] = useState(thread.note);
  const [known, setKnown] = useState(thread.note);
  if (known !== thread.note) {
    // A note from another device replaces an untouched text, and never what is being typed.
    if (text === known) setText(thread.note);
    setKnown(thread.note);
  }
  const save = (event: FormEvent): void => {
    event.preventDefault();
    showResult(resources.threadCommands.execute(changes.note(thread.id, text)), t.inbox.done.note);
  };
  return (
    <form className="flex flex-col gap-2" onSubmit={save}>
      <TextArea
        label={t.inbox.note}
        hint={t.inbox.noteHint}
        rows={3}
        maxLength={4_000}
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      {text !== thread.note && (
        <Button type="submit" className="self-start">
          {t.app.save}
        </Button>
      )}
    </form>
  );
}
