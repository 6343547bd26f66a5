import { uuid } from "./retry.js";

/** The tokens of a session, to store them. They allow everything that the person may do. */
export interface TokenPair {
  /** The token that calls send. */
  accessToken: string;
  /** The token for the next refresh. It works once, so only one copy of a pair may be in use. */
  refreshToken: string;
}

/** A place for the tokens of a session that several pages share. */
export interface TokenStore {
  /** Returns the stored tokens. Absent: signed out. */
  load(): TokenPair | undefined;
  /** Stores new tokens, or removes them. */
  save(tokens: TokenPair | undefined): void;
  /** Runs a refresh while no other page runs one. */
  exclusive<T>(run: () => Promise<T>): Promise<T>;
}

/**
 * Keeps the tokens in `localStorage`, so that all tabs of the origin share one session, also after a restart of the
 * browser. Every script of the page can read them: a page with the server's origin should use `"cookies"` instead.
 */
export function localTokens(key = "vintedbot.tokens"): TokenStore {
  /** The tokens that could not be stored: the browser refuses, or it is Node. They last as long as the page. */
  let refused: TokenPair | undefined;
  return {
    load() {
      if (refused !== undefined) return refused;
      try {
        const { accessToken, refreshToken } = JSON.parse(localStorage.getItem(key) ?? "{}") as Partial<
          Record<keyof TokenPair, unknown>
        >;
        const isPair = typeof accessToken === "string" && typeof refreshToken === "string";
        return isPair && accessToken && refreshToken ? { accessToken, refreshToken } : undefined;
      } catch {
        return undefined;
      }
    },
    save(tokens) {
      refused = undefined;
      try {
        if (tokens === undefined) localStorage.removeItem(key);
        else localStorage.setItem(key, JSON.stringify(tokens));
      } catch {
        refused = tokens;
      }
    },
    // Without Web Locks, outside of secure contexts (https or localhost), two tabs may refresh at once. The server then
    // returns the same new tokens to both.
    exclusive: async (run) =>
      globalThis.navigator?.locks ? await navigator.locks.request(key, run) : await run(),
  };
}

const signInKey = "vintedbot.sign-in";

/**
 * The last sign-in with cookies at this origin. Scripts cannot read whose session the cookies hold, and a tab must not
 * receive the events of the person who was signed in before.
 */
export const cookieSignIn = {
  id(): string {
    try {
      return localStorage.getItem(signInKey) ?? "";
    } catch {
      return "";
    }
  },
  /** Records a new sign-in and returns its id. */
  renew(): string {
    try {
      localStorage.setItem(signInKey, uuid());
    } catch {
      // Without storage, tabs cannot know of each other's sign-ins.
    }
    return this.id();
  },
};

/** Returns the id of the session to which an access token belongs. Absent if it is not one. */
export function sessionIdOf(accessToken: string): string | undefined {
  try {
    const payload = (accessToken.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
    const { sid } = JSON.parse(atob(payload)) as { sid?: unknown };
    return typeof sid === "string" ? sid : undefined;
  } catch {
    return undefined;
  }
}
