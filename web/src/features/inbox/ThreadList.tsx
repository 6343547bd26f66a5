import { timestampDate, type Thread } from "@vintedbot/sdk";
import { useEffect, type ReactNode, type RefObject } from "react";
import { Link } from "react-router";

import { useRecord } from "../../data/hooks";
import type { LiveList, ListView } from "../../data/list";
import { useProblem } from "../../data/problem";
import { resources } from "../../data/store";
import { useTexts } from "../../i18n";
import { Button, buttonClasses } from "../../ui/Button";
import { classes } from "../../ui/classes";
import { Empty } from "../../ui/Empty";
import { Notice } from "../../ui/Notice";
import { Skeleton } from "../../ui/Skeleton";
import { Time } from "../../ui/Time";
import { isSnoozed, type Filter } from "./threadFilter";

export interface ThreadListProps {
  ref: RefObject<HTMLDivElement | null>;
  list: LiveList<Thread>;
  view: ListView;
  filter: Filter;
  openId: string | undefined;
  link: (id: string) => string;
}

/** The rows of the inbox. They stay in place while the reader is in the middle of them. */
export function ThreadList({ ref, list, view, filter, openId, link }: ThreadListProps): ReactNode {
  const t = useTexts();
  const problem = useProblem(view.error);
  useEffect(() => {
    const box = ref.current;
    if (box !== null) box.scrollTop = 0;
    list.release();
  }, [ref, list]);
  const follow = (): void => {
    const box = ref.current;
    if (box !== null && (box.scrollTop > 8 || box.matches(":hover"))) list.hold();
    else list.release();
  };
  return (
    <div className="relative flex min-h-0 flex-1 flex-col">
      <div role="status" className="contents">
        {view.news > 0 && (
          <Button
            kind="primary"
            className="absolute top-2 left-1/2 z-10 -translate-x-1/2 rounded-full shadow-lg"
            onClick={() => {
              ref.current?.scrollTo({ top: 0 });
              list.release();
            }}
          >
            {t.inbox.news(view.news)}
          </Button>
        )}
      </div>
      <div
        ref={ref}
        role="region"
        aria-label={t.inbox.threads}
        tabIndex={-1}
        className="min-h-0 flex-1 overflow-y-auto [overflow-anchor:none]"
        onScroll={follow}
        onPointerEnter={follow}
        onPointerLeave={() => setTimeout(follow, 0)}
      >
        {problem !== undefined && (
          <div className="p-2">
            <Notice problem={problem} onRetry={() => void list.reload()} />
          </div>
        )}
        {view.ids.length === 0 && (view.status === "loading" || view.status === "idle") && (
          <Skeleton label={t.app.loading} />
        )}
        {view.ids.length === 0 && view.status === "ready" && (
          <Empty text={t.inbox.empty[filter.view]}>
            {filter.view !== "all" && (
              <Link to="/inbox" className={buttonClasses()}>
                {t.inbox.showAll}
              </Link>
            )}
          </Empty>
        )}
        <ul>
          {view.ids.map((id) => (
            <Row key={id} id={id} isOpen={id === openId} to={link(id)} />
          ))}
        </ul>
        {view.hasMore && (
          <p className="p-3 text-center">
            <Button busy={view.status === "loading"} onClick={() => void list.more()}>
              {t.inbox.more}
            </Button>
          </p>
        )}
      </div>
    </div>
  );
}

function Row({ id, isOpen, to }: { id: string; isOpen: boolean; to: string }): ReactNode {
  const t = useTexts().inbox;
  const thread = useRecord(resources.threads, id);
  const account = useRecord(resources.accounts, thread?.accountId ?? "");
  if (thread === undefined) return null;
  const { person, item, lastMessageTime, snoozeTime, unread, hasOffer, draft, note, labels } = thread;
  return (
    <li className="row-lazy border-b border-line">
      <Link
        to={to}
        data-id={id}
        aria-current={isOpen ? "true" : undefined}
        className={classes(
          "flex flex-col gap-0.5 px-3 py-2 -outline-offset-2 hover:bg-raised",
          isOpen && "bg-accent-soft",
        )}
      >
        <span className="flex items-baseline gap-2">
          <span className={classes("min-w-0 flex-1 truncate", unread && "font-bold")}>
            {unread && (
              <span className="mr-1.5 text-accent">
                <span aria-hidden>●</span>
                <span className="sr-only">{t.unread}</span>
              </span>
            )}
            {person?.isSystem ? t.site : person?.login}
          </span>
          {lastMessageTime !== undefined && (
            <Time date={timestampDate(lastMessageTime)} className="shrink-0 text-xs text-soft" />
          )}
        </span>
        {item !== undefined && <span className="truncate text-sm">{item.title}</span>}
        <span className="truncate text-sm text-soft">{thread.snippet}</span>
        <span className="flex flex-wrap gap-1 text-xs text-soft">
          {account !== undefined && <span>{account.displayName}</span>}
          {hasOffer && <Mark text={t.offer} isStrong />}
          {draft !== undefined && draft.text !== "" && <Mark text={t.draft} />}
          {note !== "" && <Mark text={t.note} />}
          {snoozeTime !== undefined && isSnoozed(thread, Date.now()) && (
            <span>
              {t.snoozedUntil} <Time date={timestampDate(snoozeTime)} />
            </span>
          )}
          {labels.map((label) => (
            <Mark key={label} text={label} />
          ))}
        </span>
      </Link>
    </li>
  );
}

function Mark({ text, isStrong = false }: { text: string; isStrong?: boolean }): ReactNode {
  return (
    <span className={classes("rounded px-1.5", isStrong ? "bg-warn-soft text-text" : "bg-raised text-text")}>
      {text}
    </span>
  );
}
