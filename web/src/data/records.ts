/** A resource with its position in the event log. */
export interface Versioned {
  id: string;
  sequence: bigint;
}

/** A change that a person asked for and that the server has not answered yet. */
export interface Overlay<T> {
  requestId: string;
  ids: readonly string[];
  change: (value: T) => T;
}

interface Entry<T> {
  sequence: bigint;
  /** Absent after a deletion: the entry is then a tombstone. */
  value: T | undefined;
}

/** Called after a change. `isOwn` distinguishes the person's own commands from events and answers. */
export type ChangeListener = (ids: ReadonlySet<string>, isOwn: boolean) => void;

/**
 * The newest known version of each resource of one type, below the overlays of the commands under way. Events and
 * answers may come twice and in any order: only a higher sequence replaces a record, and a deletion leaves a tombstone,
 * so that a late answer cannot bring the resource back.
 */
export class Records<T extends Versioned> {
  readonly #entries = new Map<string, Entry<T>>();
  #overlays: Overlay<T>[] = [];
  readonly #shown = new Map<string, T>();
  readonly #listeners = new Set<ChangeListener>();

  /** Stores what an event or an answer contains. Returns whether it was new. */
  apply(...values: readonly T[]): boolean {
    const changed = new Set<string>();
    for (const value of values) {
      const known = this.#entries.get(value.id);
      if (known !== undefined && known.sequence >= value.sequence) continue;
      this.#entries.set(value.id, { sequence: value.sequence, value });
      changed.add(value.id);
    }
    this.#notify(changed, false);
    return changed.size > 0;
  }

  /** Stores a deletion. */
  remove(id: string, sequence: bigint): boolean {
    const known = this.#entries.get(id);
    if (known !== undefined && known.sequence >= sequence) return false;
    this.#entries.set(id, { sequence, value: undefined });
    this.#notify(new Set([id]), false);
    return true;
  }

  /** Returns the resource as the person should see it. Absent if it is unknown or deleted. */
  get(id: string): T | undefined {
    const shown = this.#shown.get(id);
    if (shown !== undefined) return shown;
    const value = this.#entries.get(id)?.value;
    if (value === undefined) return undefined;
    let result = value;
    for (const overlay of this.#overlays) if (overlay.ids.includes(id)) result = overlay.change(result);
    this.#shown.set(id, result);
    return result;
  }

  /** Returns the resource as the server has it. */
  stored(id: string): T | undefined {
    return this.#entries.get(id)?.value;
  }

  ids(): IterableIterator<string> {
    return this.#entries.keys();
  }

  get hasOverlays(): boolean {
    return this.#overlays.length > 0;
  }

  isPending(id: string): boolean {
    return this.#overlays.some((overlay) => overlay.ids.includes(id));
  }

  addOverlay(overlay: Overlay<T>): void {
    this.#overlays = [...this.#overlays, overlay];
    this.#notify(new Set(overlay.ids), true);
  }

  /** Ends an overlay. With an answer, the answer is stored in the same step, so that no reader sees the old state. */
  dropOverlay(requestId: string, answer: readonly T[] = []): void {
    const dropped = this.#overlays.filter((overlay) => overlay.requestId === requestId);
    this.#overlays = this.#overlays.filter((overlay) => overlay.requestId !== requestId);
    const changed = new Set(dropped.flatMap(({ ids }) => ids));
    for (const value of answer) {
      const known = this.#entries.get(value.id);
      if (known !== undefined && known.sequence >= value.sequence) continue;
      this.#entries.set(value.id, { sequence: value.sequence, value });
      changed.add(value.id);
    }
    this.#notify(changed, true);
  }

  subscribe(listener: ChangeListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  clear(): void {
    const ids = new Set(this.#entries.keys());
    this.#entries.clear();
    this.#overlays = [];
    this.#notify(ids, true);
  }

  #notify(ids: ReadonlySet<string>, isOwn: boolean): void {
    if (ids.size === 0) return;
    for (const id of ids) this.#shown.delete(id);
    for (const listener of this.#listeners) listener(ids, isOwn);
  }
}
