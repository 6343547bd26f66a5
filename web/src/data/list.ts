import type { Records, Versioned } from "./records";

/** One page of a list call. */
export interface Page<T> {
  values: readonly T[];
  /** Empty on the last page. */
  nextPageToken: string;
}

export interface ListOptions<T> {
  /** Whether a resource belongs to the list. */
  matches: (value: T) => boolean;
  /** The order of the server. Negative if `a` comes first. */
  compare: (a: T, b: T) => number;
  /** Requests a page. */
  load: (pageToken: string) => Promise<Page<T>>;
}

/** What a list shows. The object is replaced at each change. */
export interface ListView {
  ids: readonly string[];
  /** The number of resources that entered or moved up while the reader held the list. */
  news: number;
  hasMore: boolean;
  status: "idle" | "loading" | "ready" | "failed";
  error?: unknown;
}

const empty: ListView = { ids: [], news: 0, hasMore: false, status: "idle" };

/**
 * A list that events update. The predicate decides whether a change enters, leaves or moves within the loaded part of
 * the list. Beyond the last loaded page nothing can be decided, so nothing enters there. While the reader holds the
 * list, for example because it is scrolled, the rows stay, and arrivals are only counted.
 */
export class LiveList<T extends Versioned> {
  #view: ListView = empty;
  #nextPageToken = "";
  /** The last entry of the loaded pages, in the version of its page. Absent if all pages are loaded. */
  #boundary: T | undefined;
  #isLoaded = false;
  #isHeld = false;
  /** Rows that stay although the predicate excludes them, such as the open thread in a list of unread ones. */
  #pinned: string | undefined;
  #members = new Set<string>();
  /** The versions by which the shown rows were placed. */
  #placed = new Map<string, T>();
  /** Resources that an answer lacked, with their sequence: they left the list unnoticed, during a gap of the stream. */
  readonly #absent = new Map<string, bigint>();
  #generation = 0;
  readonly #listeners = new Set<() => void>();
  readonly #unsubscribe: () => void;

  constructor(
    private readonly records: Records<T>,
    private readonly options: ListOptions<T>,
  ) {
    this.#unsubscribe = records.subscribe((ids, isOwn) => this.#changed(ids, isOwn));
  }

  readonly view = (): ListView => this.#view;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Whether a page shows the list. */
  get isWatched(): boolean {
    return this.#listeners.size > 0;
  }

  close(): void {
    this.#generation++;
    this.#unsubscribe();
    this.#listeners.clear();
  }

  /** Reads the list again, as far as it was loaded. The rows stay until everything has arrived. */
  async reload(): Promise<void> {
    this.#generation++;
    await this.#load("", this.#view.ids.length);
  }

  /** Reads the next page. */
  async more(): Promise<void> {
    if (this.#view.status === "loading" || !this.#isLoaded || this.#nextPageToken === "") return;
    await this.#load(this.#nextPageToken, 1);
  }

  /** Holds the rows in place until `release`. */
  hold(): void {
    this.#isHeld = true;
  }

  /** Shows everything that arrived in the meantime. */
  release(): void {
    this.#isHeld = false;
    this.#arrange(true);
  }

  /** Pins one row, also if it no longer matches. Absent: none. */
  pin(id: string | undefined): void {
    if (this.#pinned === id) return;
    this.#pinned = id;
    this.#arrange(!this.#isHeld);
  }

  /** Decides again about all rows, because the predicate depends on the time. */
  recheck(): void {
    this.#changed(new Set(this.records.ids()), false);
  }

  async #load(firstPageToken: string, atLeast: number): Promise<void> {
    const generation = this.#generation;
    const isFirst = !this.#isLoaded;
    const before = this.#sequences();
    this.#show({ ...this.#view, status: "loading" });
    const values: T[] = [];
    let pageToken = firstPageToken;
    try {
      do {
        // oxlint-disable-next-line no-await-in-loop -- each page needs the token of the previous one
        const page = await this.options.load(pageToken);
        if (generation !== this.#generation) return;
        values.push(...page.values);
        pageToken = page.nextPageToken;
      } while (pageToken !== "" && values.length < atLeast);
    } catch (error) {
      if (generation === this.#generation) this.#show({ ...this.#view, status: "failed", error });
      return;
    }
    const start = firstPageToken === "" ? undefined : this.#boundary;
    this.#nextPageToken = pageToken;
    if (pageToken === "") this.#boundary = undefined;
    else this.#boundary = values.at(-1) ?? this.#boundary;
    this.#isLoaded = true;
    this.records.apply(...values);
    this.#exclude(before, new Set(values.map(({ id }) => id)), start);
    this.#members = new Set([...this.records.ids()].filter((id) => this.#belongs(id)));
    const { error: _, ...view } = this.#view;
    this.#view = { ...view, hasMore: pageToken !== "" };
    this.#arrange(isFirst || !this.#isHeld, "ready");
    // Rows of a further page come after those that are held.
    if (this.#isHeld) this.#append(values);
  }

  /** Returns the versions of everything that belongs to the list and that no command is changing. */
  #sequences(): Map<string, bigint> {
    const sequences = new Map<string, bigint>();
    for (const id of this.records.ids()) {
      const value = this.records.stored(id);
      if (value !== undefined && !this.records.isPending(id)) sequences.set(id, value.sequence);
    }
    return sequences;
  }

  /** Excludes what the pages should contain and lack, unless it changed since they were requested. */
  #exclude(before: ReadonlyMap<string, bigint>, found: ReadonlySet<string>, start: T | undefined): void {
    for (const id of found) this.#absent.delete(id);
    for (const [id, sequence] of before) {
      const value = this.records.stored(id);
      if (found.has(id) || value === undefined || value.sequence !== sequence) continue;
      const isCovered = start === undefined || this.options.compare(value, start) > 0;
      if (isCovered && this.#belongs(id)) this.#absent.set(id, sequence);
    }
  }

  #changed(ids: ReadonlySet<string>, isOwn: boolean): void {
    if (!this.#isLoaded) return;
    let isConcerned = false;
    for (const id of ids) {
      const belonged = this.#members.has(id);
      const belongs = this.#belongs(id);
      if (belongs) this.#members.add(id);
      else this.#members.delete(id);
      isConcerned ||= belonged || belongs || this.#placed.has(id);
    }
    if (!isConcerned) return;
    if (this.#isHeld && isOwn) this.#follow(ids);
    this.#arrange(!this.#isHeld);
  }

  /** Removes or places the rows of a person's own command, although the list is held. */
  #follow(ids: ReadonlySet<string>): void {
    for (const id of ids) {
      if (!this.#members.has(id) && this.#pinned !== id) this.#placed.delete(id);
    }
  }

  #belongs(id: string): boolean {
    const value = this.records.get(id);
    if (value === undefined || !this.options.matches(value)) return false;
    if (this.#absent.get(id) === value.sequence) return false;
    return this.#boundary === undefined || this.options.compare(value, this.#boundary) <= 0;
  }

  #target(): T[] {
    const values: T[] = [];
    for (const id of this.#members) {
      const value = this.records.get(id);
      if (value !== undefined) values.push(value);
    }
    const pinned = this.#pinned;
    if (pinned !== undefined && this.#placed.has(pinned) && !this.#members.has(pinned)) {
      const value = this.records.get(pinned);
      if (value !== undefined) values.push(value);
    }
    return values.sort(this.options.compare);
  }

  #arrange(isFree: boolean, status = this.#view.status): void {
    if (!this.#isLoaded) return;
    const target = this.#target();
    if (isFree) {
      this.#placed = new Map(target.map((value) => [value.id, value]));
      this.#show({ ...this.#view, status, ids: target.map(({ id }) => id), news: 0 });
      return;
    }
    const ids = this.#view.ids.filter((id) => this.#placed.has(id) && this.records.get(id) !== undefined);
    const news = target.filter((value) => {
      const placed = this.#placed.get(value.id);
      return placed === undefined || this.options.compare(value, placed) < 0;
    }).length;
    this.#show({ ...this.#view, status, ids, news });
  }

  #append(values: readonly T[]): void {
    const added = values.filter(({ id }) => !this.#placed.has(id) && this.#members.has(id));
    if (added.length === 0) return;
    for (const value of added) this.#placed.set(value.id, value);
    this.#show({ ...this.#view, ids: [...this.#view.ids, ...added.map(({ id }) => id)] });
    this.#arrange(false);
  }

  #show(view: ListView): void {
    const before = this.#view;
    const isSame =
      before.ids.length === view.ids.length &&
      before.ids.every((id, at) => id === view.ids[at]) &&
      before.news === view.news &&
      before.hasMore === view.hasMore &&
      before.status === view.status &&
      before.error === view.error;
    if (isSame) return;
    this.#view = view;
    for (const listener of this.#listeners) listener();
  }
}
