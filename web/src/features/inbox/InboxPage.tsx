import { Search, X } from "lucide-react";
import { lazy, Suspense, useEffect, useRef, useState, type ReactNode } from "react";
import { useNavigate, useParams, useSearchParams } from "react-router";

import { resources } from "../../data/store";
import { useTexts } from "../../i18n";
import { Boundary } from "../../ui/Boundary";
import { IconButton } from "../../ui/Button";
import { classes } from "../../ui/classes";
import { useCommands } from "../../ui/commands";
import { Empty } from "../../ui/Empty";
import { inputClasses } from "../../ui/Field";
import { Skeleton } from "../../ui/Skeleton";
import { Conversation } from "./Conversation";
import { Filters } from "./Filters";
import { filterOf, isSnoozed } from "./threadFilter";
import { changes, openThreads, showResult } from "./inbox";
import { ThreadList } from "./ThreadList";
import { usePinned, useOpenList } from "./useOpen";

const PersonPane = lazy(() => import("./PersonPane"));
const SearchResults = lazy(() => import("./SearchResults"));
const ThreadMenu = lazy(() => import("./ThreadMenu"));

const searchMs = 250;

/** The inbox in three panes: threads, conversation and person. On a phone, one of them at a time. */
export default function InboxPage(): ReactNode {
  const t = useTexts();
  const navigate = useNavigate();
  const { threadId } = useParams();
  const [parameters, setParameters] = useSearchParams();
  const filter = filterOf(parameters);
  const query = parameters.get("q") ?? "";
  const [list, view] = useOpenList(() => openThreads(filter), JSON.stringify(filter));
  const rows = useRef<HTMLDivElement>(null);
  const searchField = useRef<HTMLInputElement>(null);
  const [menu, setMenu] = useState<{ kind: "snooze" | "label"; id: string; anchor: Element | null }>();
  const showsPerson = parameters.get("pane") === "person";
  usePinned(list, threadId);

  useEffect(() => {
    document.title = `${t.inbox.title} · vintedbot`;
  }, [t]);

  const link = (id: string): string => {
    const next = new URLSearchParams(parameters);
    next.delete("pane");
    const text = next.toString();
    return `/inbox/${id}${text === "" ? "" : `?${text}`}`;
  };
  const rowLinks = (): HTMLAnchorElement[] => [
    ...(rows.current?.querySelectorAll<HTMLAnchorElement>("a[data-id]") ?? []),
  ];
  const focusedId = (): string | undefined => {
    const row = document.activeElement;
    return row instanceof HTMLAnchorElement && rows.current?.contains(row) ? row.dataset["id"] : undefined;
  };
  /** The thread that a command is about: the focused row, else the open thread. */
  const target = (): string | undefined => focusedId() ?? threadId;
  const step = (by: number): void => {
    const links = rowLinks();
    const at = links.findIndex(({ dataset }) => dataset["id"] === target());
    const next = links[at === -1 ? 0 : Math.min(Math.max(at + by, 0), links.length - 1)];
    next?.focus();
    next?.scrollIntoView({ block: "nearest" });
  };
  /** Leaves a thread that a command has removed from the list, to the next one. */
  const leave = (id: string): void => {
    const at = view.ids.indexOf(id);
    const next = view.ids[at + 1] ?? view.ids[at - 1];
    if (threadId === id)
      void navigate(next === undefined ? link("").replace("/inbox/", "/inbox") : link(next));
    else if (next !== undefined)
      rowLinks()
        .find(({ dataset }) => dataset["id"] === next)
        ?.focus();
  };
  const archive = (id: string): void => {
    const thread = resources.threads.get(id);
    if (thread === undefined) return;
    leave(id);
    list.pin(undefined);
    showResult(
      resources.threadCommands.execute(thread.archived ? changes.unarchive(id) : changes.archive(id)),
      thread.archived ? t.inbox.done.unarchive : t.inbox.done.archive,
    );
  };
  const anchorOf = (id: string): Element | null =>
    document.querySelector(`[data-actions="${id}"]`) ??
    rowLinks().find(({ dataset }) => dataset["id"] === id) ??
    null;
  const openMenu = (kind: "snooze" | "label", id: string): void =>
    setMenu({ kind, id, anchor: anchorOf(id) });
  const snooze = (id: string): void => {
    const thread = resources.threads.get(id);
    if (thread !== undefined && isSnoozed(thread, Date.now())) {
      showResult(resources.threadCommands.execute(changes.snooze(id, undefined)), t.inbox.done.unsnooze);
    } else openMenu("snooze", id);
  };
  const mark = (id: string): void => {
    const isUnread = resources.threads.get(id)?.unread ?? false;
    showResult(
      resources.threadCommands.execute(changes.mark(id, !isUnread)),
      isUnread ? t.inbox.done.markRead : t.inbox.done.markUnread,
    );
  };
  const onTarget = (run: (id: string) => void) => () => {
    const id = target();
    if (id !== undefined) run(id);
  };
  const hasTarget = (): boolean => target() !== undefined;
  const names = t.inbox.commands;
  useCommands([
    { id: "inbox.next", name: names.next, key: "j", run: () => step(1) },
    { id: "inbox.previous", name: names.previous, key: "k", run: () => step(-1) },
    { id: "inbox.open", name: names.open, key: "Enter", when: () => false, run: () => undefined },
    {
      id: "inbox.reply",
      name: names.reply,
      key: "r",
      when: hasTarget,
      run: onTarget((id) => {
        const composer = document.querySelector<HTMLTextAreaElement>("[data-composer]");
        if (id === threadId && composer !== null) composer.focus();
        // The composer takes the focus when it is there.
        else void navigate(link(id), { state: { reply: true } });
      }),
    },
    { id: "inbox.archive", name: names.archive, key: "e", when: hasTarget, run: onTarget(archive) },
    { id: "inbox.snooze", name: names.snooze, key: "s", when: hasTarget, run: onTarget(snooze) },
    { id: "inbox.mark", name: names.markUnread, key: "u", when: hasTarget, run: onTarget(mark) },
    {
      id: "inbox.label",
      name: names.label,
      key: "l",
      when: hasTarget,
      run: onTarget((id) => openMenu("label", id)),
    },
    { id: "inbox.search", name: names.search, key: "/", run: () => searchField.current?.focus() },
  ]);

  const search = (text: string): void =>
    setParameters(
      (known) => {
        const next = new URLSearchParams(known);
        if (text.trim() === "") next.delete("q");
        else next.set("q", text);
        return next;
      },
      { replace: true },
    );
  const showPerson = (isShown: boolean): void =>
    setParameters((known) => {
      const next = new URLSearchParams(known);
      if (isShown) next.set("pane", "person");
      else next.delete("pane");
      return next;
    });

  return (
    <div className="grid h-full grid-cols-[minmax(0,1fr)] md:grid-cols-[20rem_minmax(0,1fr)] xl:grid-cols-[22rem_minmax(0,1fr)_19rem]">
      <h1 className="sr-only">{t.inbox.title}</h1>
      <div
        className={classes(
          "min-h-0 flex-col border-r border-line bg-card",
          threadId === undefined ? "flex" : "hidden md:flex",
        )}
      >
        <SearchField ref={searchField} query={query} onSearch={search} />
        <Filters filter={filter} />
        <Boundary>
          {query === "" ? (
            <ThreadList ref={rows} list={list} view={view} filter={filter} openId={threadId} link={link} />
          ) : (
            <Suspense fallback={<Skeleton label={t.app.loading} />}>
              <SearchResults query={query} accountId={filter.accountId} link={link} />
            </Suspense>
          )}
        </Boundary>
      </div>
      <div
        className={classes(
          "min-h-0 min-w-0",
          (threadId === undefined || showsPerson) && "hidden",
          showsPerson ? "xl:block" : "md:block",
        )}
      >
        <Boundary key={threadId}>
          {threadId === undefined ? (
            <Empty text={t.inbox.choose} />
          ) : (
            <Conversation
              threadId={threadId}
              backTo={link("").replace("/inbox/", "/inbox")}
              onArchive={() => archive(threadId)}
              onSnooze={() => snooze(threadId)}
              onMark={() => mark(threadId)}
              onLabel={() => openMenu("label", threadId)}
              onPerson={() => showPerson(true)}
            />
          )}
        </Boundary>
      </div>
      {threadId !== undefined && (
        <div
          className={classes(
            "min-h-0 border-l border-line bg-card",
            showsPerson ? "block" : "hidden",
            "xl:block",
          )}
        >
          <Boundary key={threadId}>
            <Suspense fallback={<Skeleton label={t.app.loading} />}>
              <PersonPane threadId={threadId} link={link} onBack={() => showPerson(false)} />
            </Suspense>
          </Boundary>
        </div>
      )}
      {menu !== undefined && (
        <Suspense fallback={null}>
          <ThreadMenu {...menu} onClose={() => setMenu(undefined)} onLeave={leave} />
        </Suspense>
      )}
    </div>
  );
}

function SearchField({
  ref,
  query,
  onSearch,
}: {
  ref: React.RefObject<HTMLInputElement | null>;
  query: string;
  onSearch: (text: string) => void;
}): ReactNode {
  const t = useTexts().inbox;
  const [text, setText] = useState(query);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  // The address may change during the wait.
  const latest = useRef(onSearch);
  useEffect(() => {
    latest.current = onSearch;
  });
  useEffect(() => {
    // The address also changes without the field: by the back button or a filter.
    if (document.activeElement !== ref.current) setText(query);
  }, [ref, query]);
  const type = (next: string): void => {
    setText(next);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => latest.current(next), searchMs);
  };
  return (
    <div role="search" className="relative p-2">
      <Search aria-hidden size={16} className="absolute top-5.5 left-4.5 text-soft md:top-4.5" />
      <input
        ref={ref}
        type="text"
        inputMode="search"
        enterKeyHint="search"
        aria-label={t.search}
        placeholder={t.search}
        className={classes(inputClasses, "pr-10 pl-8")}
        value={text}
        onChange={(event) => type(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== "Escape") return;
          type("");
          event.currentTarget.blur();
        }}
      />
      {text !== "" && (
        <IconButton label={t.clearSearch} className="absolute top-2 right-2" onClick={() => type("")}>
          <X aria-hidden size={16} />
        </IconButton>
      )}
    </div>
  );
}
