import type { Records, Versioned } from "./records";

/** A change of resources that the page shows before the server has answered. */
export interface Change<T extends Versioned> {
  ids: readonly string[];
  /** What the person sees until the answer arrives. */
  change: (value: T) => T;
  /** Sends the change. The key makes a repeated call take effect once. */
  send: (requestId: string) => Promise<readonly T[]>;
  /** The changes that revert this one. */
  inverse?: (before: ReadonlyMap<string, T>) => readonly Change<T>[];
}

/** A command under way. */
export interface Execution {
  /** Resolves when the server has answered. Rejects with its refusal. */
  done: Promise<void>;
  /** Reverts the command. Absent if it cannot be reverted. */
  undo: (() => Execution) | undefined;
}

/**
 * Executes commands. Commands about the same resource are sent one after another, so that an undo never overtakes the
 * command that it reverts.
 */
export class Commands<T extends Versioned> {
  readonly #tails = new Map<string, Promise<unknown>>();

  constructor(
    private readonly records: Records<T>,
    private readonly newId: () => string,
  ) {}

  execute(change: Change<T>): Execution {
    return this.#execute([change], Promise.resolve());
  }

  #execute(changes: readonly Change<T>[], after: Promise<unknown>): Execution {
    const inverses: Change<T>[] = [];
    let canUndo = true;
    let last = after;
    for (const change of changes) {
      const before = new Map<string, T>();
      for (const id of change.ids) {
        const value = this.records.get(id);
        if (value !== undefined) before.set(id, value);
      }
      if (change.inverse === undefined) canUndo = false;
      else inverses.unshift(...change.inverse(before));
      last = this.#send(change, last);
    }
    const done = last.then(() => undefined);
    // The caller may not wait for the answer.
    done.catch(() => undefined);
    return { done, undo: canUndo ? () => this.#execute(inverses, last) : undefined };
  }

  #send(change: Change<T>, after: Promise<unknown>): Promise<void> {
    const requestId = this.newId();
    this.records.addOverlay({ requestId, ids: change.ids, change: change.change });
    const waits = change.ids.map((id) => (this.#tails.get(id) ?? Promise.resolve()).catch(() => undefined));
    const sent = (async () => {
      try {
        await after;
        await Promise.all(waits);
        const answer = await change.send(requestId);
        this.records.dropOverlay(requestId, answer);
      } catch (thrown) {
        this.records.dropOverlay(requestId);
        throw thrown;
      }
    })();
    for (const id of change.ids) {
      this.#tails.set(id, sent);
      const forget = (): void => {
        if (this.#tails.get(id) === sent) this.#tails.delete(id);
      };
      sent.then(forget, forget);
    }
    return sent;
  }
}
