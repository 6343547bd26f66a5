import type { Event } from "@vintedbot/sdk";

import { authState, subscribe } from "./auth";
import { live } from "./store";

const throttleMs = 400;

/**
 * A value that the server computes, such as counts. It is read again after each event that can change it, after a gap
 * in the log, and after a failed read.
 */
export class Fresh<T> {
  #value: T | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isReading = false;
  #isStale = false;
  #hasFailed = false;
  #stop: readonly (() => void)[] = [];
  readonly #listeners = new Set<() => void>();

  constructor(
    private readonly read: () => Promise<T>,
    private readonly concerns: (event: Event) => boolean,
  ) {
    // The value is that of the person who was signed in.
    subscribe(() => {
      if (authState().status !== "in") this.#value = undefined;
    });
  }

  readonly value = (): T | undefined => this.#value;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    if (this.#listeners.size === 1) {
      this.#stop = [
        live.onEvent((event) => {
          if (this.concerns(event)) this.#soon(throttleMs);
        }),
        live.onGap(() => this.#soon(0)),
        // Each message shows that the server can be reached, and one comes at least every 15 s.
        live.subscribe(() => {
          if (this.#hasFailed && live.state().status === "live") this.#soon(throttleMs);
        }),
      ];
      this.#soon(0);
    }
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) for (const stop of this.#stop) stop();
    };
  };

  #soon(ms: number): void {
    if (this.#isReading) this.#isStale = true;
    else if (this.#timer === undefined) this.#timer = setTimeout(() => void this.#refresh(), ms);
  }

  async #refresh(): Promise<void> {
    this.#timer = undefined;
    this.#isReading = true;
    this.#isStale = false;
    this.#hasFailed = false;
    try {
      await live.opened();
      this.#value = await this.read();
      for (const listener of this.#listeners) listener();
    } catch {
      // The banner shows a lost line. The next message of the stream reads again.
      this.#hasFailed = true;
    }
    this.#isReading = false;
    if (this.#isStale) this.#soon(throttleMs);
  }
}
