import {
  InboxService,
  ResourceType,
  SearchResult_Kind as Kind,
  timestampDate,
  type SearchResult,
} from "@vintedbot/sdk";
import { useEffect, useState, type ReactNode } from "react";
import { Link } from "react-router";

import { useProblem } from "../../data/problem";
import { useCall } from "../../data/query";
import { useEvents } from "../../data/hooks";
import { useTexts } from "../../i18n";
import { Button } from "../../ui/Button";
import { Empty } from "../../ui/Empty";
import { Notice } from "../../ui/Notice";
import { Skeleton } from "../../ui/Skeleton";
import { Time } from "../../ui/Time";

const pageSize = 50;

/** What the server finds. Whether a new message matches cannot be decided here, so it is only counted. */
export default function SearchResults({
  query,
  accountId,
  link,
}: {
  query: string;
  accountId: string;
  link: (id: string) => string;
}): ReactNode {
  const t = useTexts();
  const answer = useCall(InboxService.method.search, { query, accountId, pageSize });
  const problem = useProblem(answer.error);
  const [news, setNews] = useState(0);
  useEvents((event) => {
    if (event.resourceType === ResourceType.MESSAGE) setNews((known) => known + 1);
  });
  const { dataUpdatedAt } = answer;
  useEffect(() => setNews(0), [dataUpdatedAt]);
  const results = answer.data?.results ?? [];
  return (
    <div role="region" aria-label={t.inbox.search} className="min-h-0 flex-1 overflow-y-auto">
      {problem !== undefined && (
        <div className="p-2">
          <Notice problem={problem} onRetry={() => void answer.refetch()} />
        </div>
      )}
      {answer.isPending && problem === undefined && <Skeleton label={t.app.loading} />}
      <div role="status" className="flex items-center justify-between gap-2 px-3 py-1 text-sm text-soft">
        {answer.data !== undefined && <span>{t.inbox.results(results.length)}</span>}
        {news > 0 && <Button onClick={() => void answer.refetch()}>{t.inbox.news(news)}</Button>}
      </div>
      {answer.data?.indexComplete === false && <p className="px-3 text-sm">{t.inbox.incomplete}</p>}
      {answer.data !== undefined && results.length === 0 && <Empty text={t.inbox.noResults} />}
      <ul>
        {results.map((result) => (
          <Result key={keyOf(result)} result={result} link={link} />
        ))}
      </ul>
    </div>
  );
}

function keyOf({ kind, threadId, messageId, personId }: SearchResult): string {
  return `${kind} ${threadId} ${messageId} ${personId}`;
}

function Result({ result, link }: { result: SearchResult; link: (id: string) => string }): ReactNode {
  const t = useTexts().inbox;
  const kinds: Partial<Record<Kind, string>> = { [Kind.NOTE]: t.note, [Kind.PERSON]: t.person.title };
  const content = (
    <>
      <span className="flex justify-between gap-2 text-xs text-soft">
        <span>{kinds[result.kind]}</span>
        {result.time !== undefined && <Time date={timestampDate(result.time)} />}
      </span>
      <span>
        {result.snippet.map(({ text, highlighted }, at) =>
          highlighted ? (
            <mark key={at} className="rounded bg-warn-soft text-text">
              {text}
            </mark>
          ) : (
            <span key={at}>{text}</span>
          ),
        )}
      </span>
    </>
  );
  const look = "flex flex-col gap-0.5 px-3 py-2 text-sm";
  return (
    <li className="border-b border-line">
      {result.threadId === "" ? (
        <p className={look}>{content}</p>
      ) : (
        <Link
          to={link(result.threadId)}
          data-id={result.threadId}
          className={`${look} -outline-offset-2 hover:bg-raised`}
        >
          {content}
        </Link>
      )}
    </li>
  );
}
