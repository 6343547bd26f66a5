import type { ReactNode } from "react";
import { Link, useNavigate } from "react-router";

import { resources } from "../../data/store";
import { useTexts } from "../../i18n";
import { classes } from "../../ui/classes";
import { parametersOf, views, type Filter, type View } from "./threadFilter";
import { openAccounts } from "./inbox";
import { useCounts, useOpenList } from "./useOpen";

/** Chooses which threads are shown, with the number of each choice. */
export function Filters({ filter }: { filter: Filter }): ReactNode {
  const t = useTexts().inbox;
  const navigate = useNavigate();
  const counts = useCounts();
  const [, { ids }] = useOpenList(openAccounts, "accounts");
  const to = (change: Partial<Filter>): string =>
    `/inbox?${parametersOf({ ...filter, ...change }).toString()}`;
  const ofAccount = counts?.accounts.find(({ accountId }) => accountId === filter.accountId)?.counts;
  const own = filter.accountId === "" ? counts?.total : ofAccount;
  const numberOf = (view: View): number => {
    switch (view) {
      case "all":
        return 0;
      case "unread":
        return own?.unreadThreads ?? 0;
      case "waiting":
        return own?.waitingForMe ?? 0;
      case "offers":
        return own?.withOffer ?? 0;
      case "snoozed":
        return counts?.snoozed ?? 0;
      default:
        return 0;
    }
  };
  const labels = counts?.labels ?? [];
  return (
    <nav aria-label={t.filters} className="flex flex-col gap-2 border-b border-line px-2 pb-2">
      <ul className="flex flex-wrap gap-1">
        {views.map((view) => {
          const isCurrent = filter.view === view;
          const number = numberOf(view);
          return (
            <li key={view}>
              <Link
                to={to({ view })}
                aria-current={isCurrent ? "true" : undefined}
                className={classes(
                  "inline-flex min-h-11 items-center gap-1.5 rounded-full border px-3 text-sm md:min-h-8 md:px-2.5",
                  isCurrent ? "border-accent bg-accent-soft font-semibold" : "border-line hover:bg-raised",
                )}
              >
                {t.views[view]}
                {number > 0 && <span className="tabular-nums text-soft">{number}</span>}
              </Link>
            </li>
          );
        })}
      </ul>
      {(ids.length > 1 || labels.length > 0) && (
        <div className="flex gap-2">
          {ids.length > 1 && (
            <select
              aria-label={t.accounts}
              className="min-h-11 min-w-0 flex-1 rounded-md border border-line bg-card px-2 text-sm md:min-h-8"
              value={filter.accountId}
              onChange={(event) => void navigate(to({ accountId: event.target.value }))}
            >
              <option value="">{t.allAccounts}</option>
              {ids.map((id) => (
                <option key={id} value={id}>
                  {resources.accounts.get(id)?.displayName}
                </option>
              ))}
            </select>
          )}
          {(labels.length > 0 || filter.label !== "") && (
            <select
              aria-label={t.labels}
              className="min-h-11 min-w-0 flex-1 rounded-md border border-line bg-card px-2 text-sm md:min-h-8"
              value={filter.label}
              onChange={(event) => void navigate(to({ label: event.target.value }))}
            >
              <option value="">{t.labels}</option>
              {labels.map(({ label, counts: own }) => (
                <option key={label} value={label}>
                  {label} ({own?.threads ?? 0})
                </option>
              ))}
            </select>
          )}
        </div>
      )}
    </nav>
  );
}
