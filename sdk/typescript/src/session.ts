import {
  Code,
  ConnectError,
  createClient,
  type Client,
  type Interceptor,
  type Transport,
} from "@connectrpc/connect";

import { callError, type CallError } from "./errors.js";
import { ErrorInfoSchema } from "./gen/google/rpc/error_details_pb.js";
import { AuthService, type SessionTokens, type User } from "./gen/vintedbot/v1/auth_pb.js";
import { ErrorReason } from "./gen/vintedbot/v1/error_reason_pb.js";
import { isFinal, sleep } from "./retry.js";
import { cookieSignIn, sessionIdOf, type TokenPair, type TokenStore } from "./tokens.js";

/** The settings of a session. */
export interface AuthSessionOptions {
  /**
   * - `"cookies"`, for a page with the server's origin: the tokens are in cookies that scripts cannot read.
   * - A store that all tabs share, such as `localTokens()`.
   * - The tokens of a session that no other page uses.
   *
   * Absent: signed out, and the tokens stay in memory.
   */
  tokens?: TokenPair | TokenStore | "cookies";
  /** Called with the new tokens after sign-in and after each refresh. Not called with cookies. */
  onTokens?: (tokens: TokenPair) => void;
  /**
   * Called once when the session has ended: with the server's error, or without one after `signOut` here or
   * after another tab has signed out or signed another person in.
   */
  onSignedOut?: (error?: CallError) => void;
}

/** The credentials of a person. */
export interface SignInOptions {
  email: string;
  password: string;
  /** A code of the second factor, after the error `SECOND_FACTOR_REQUIRED`. */
  code?: string;
  /** The name of the device, such as "Anna's phone". Absent: the browser's user agent. */
  device?: string;
}

/** The credential of the next call. A refresh replaces the object, so its identity tells which tokens were sent. */
interface Credential {
  /** Absent with cookies. */
  readonly tokens: TokenPair | undefined;
  /** The local time at which to refresh. */
  readonly refreshAtMs: number;
}

/** The contract's lifetime of an access token. */
const accessTokenLifetimeMs = 15 * 60_000;
const refreshAheadMs = 30_000;
// The server accepts a repeated refresh token for 30 seconds. All attempts are sent within this time.
const refreshAttempts = 3;
const refreshTimeoutMs = 8_000;
const firstWaitMs = 250;
const longestWaitMs = 5_000;

/**
 * The reasons after which a refresh can help. A refresh also tells an ended session from other causes of TOKEN_INVALID.
 * TOKEN_MISSING means that the browser has dropped the expired cookie of the access token.
 */
const refreshable: ReadonlySet<ErrorReason> = new Set([
  ErrorReason.TOKEN_EXPIRED,
  ErrorReason.TOKEN_INVALID,
  ErrorReason.TOKEN_MISSING,
]);

const sessionEnded: ReadonlySet<ErrorReason> = new Set([
  ErrorReason.REFRESH_TOKEN_INVALID,
  ErrorReason.REFRESH_TOKEN_REUSED,
]);

/** The session of a person who signs in. It adds the credential to all calls and refreshes it before it expires. */
export class AuthSession {
  readonly #auth: Client<typeof AuthService>;
  readonly #options: AuthSessionOptions;
  readonly #store: TokenStore | undefined;
  /** Absent while signed out. */
  #credential: Credential | undefined;
  #refreshing: Promise<Credential | undefined> | undefined;
  /** The sign-in to which the cookies belonged when this page last knew. */
  #signInId = cookieSignIn.id();

  /** `transport` must not add a credential. */
  constructor(transport: Transport, options: AuthSessionOptions = {}) {
    this.#auth = createClient(AuthService, transport);
    this.#options = options;
    const { tokens } = options;
    this.#store = isStore(tokens) ? tokens : undefined;
    const stored = isStore(tokens) ? tokens.load() : tokens;
    if (stored !== undefined) this.#credential = ofUnknownAge(stored === "cookies" ? undefined : stored);
  }

  /** Whether a person is signed in, as far as this page knows. With cookies, only a call of GetMe can tell. */
  get isSignedIn(): boolean {
    return this.#credential !== undefined;
  }

  /** The text that is the same for all pages of this session. Absent while signed out. */
  get sharedId(): string | undefined {
    if (this.#credential === undefined) return undefined;
    if (this.#usesCookies) return `cookies ${cookieSignIn.id()}`;
    return sessionIdOf(this.#credential.tokens?.accessToken ?? "");
  }

  /** The current tokens. Absent while signed out, and with cookies. */
  get tokens(): TokenPair | undefined {
    return this.#credential?.tokens;
  }

  /** Signs a person in. All later calls belong to the new session. The reasons of its errors are those of `SignIn`. */
  async signIn(options: SignInOptions): Promise<User> {
    const { user, tokens } = await this.#auth.signIn(
      { ...options, useCookies: this.#usesCookies },
      { headers: this.#headers(undefined) },
    );
    if (user === undefined) throw incomplete("person");
    if (this.#usesCookies) this.#signInId = cookieSignIn.renew();
    this.#receive(tokens);
    return user;
  }

  /** Ends the session, or all sessions of the person. A session that has already ended is not an error. */
  async signOut({ everywhere = false }: { everywhere?: boolean } = {}): Promise<void> {
    try {
      await this.#send((credential) =>
        this.#auth.signOut({ everywhere }, { headers: this.#headers(credential) }),
      );
    } catch (thrown) {
      if (this.#credential !== undefined) throw thrown;
    }
    this.#end(this.#credential);
  }

  /**
   * Adds the credential to the calls of a transport. If the server refuses an expired access token, a unary call is
   * repeated once with the new one. A stream fails with `Code.Unavailable` instead, and `watch` then resumes it.
   */
  readonly interceptor: Interceptor = (next) => (request) =>
    this.#send(async (credential) => {
      for (const [name, value] of Object.entries(this.#headers(credential))) request.header.set(name, value);
      if (!request.stream) return next(request);
      try {
        const response = await next(request);
        return response.stream
          ? { ...response, message: this.#guarded(credential, response.message) }
          : response;
      } catch (thrown) {
        throw await this.#interruption(credential, thrown);
      }
    });

  get #usesCookies(): boolean {
    return this.#options.tokens === "cookies";
  }

  #headers(credential: Credential | undefined): Record<string, string> {
    if (this.#usesCookies) return { "x-csrf-protection": "1" };
    return credential?.tokens === undefined
      ? {}
      : { authorization: `Bearer ${credential.tokens.accessToken}` };
  }

  /** Sends a call, and sends it once more after a refresh if the server refuses its access token. */
  async #send<T>(send: (credential: Credential | undefined) => Promise<T>): Promise<T> {
    this.#requireOwnCookies();
    const current = this.#credential;
    const isDue = current !== undefined && Date.now() >= current.refreshAtMs;
    const credential = isDue ? await this.#refresh(current) : current;
    try {
      return await send(credential);
    } catch (thrown) {
      return await send(await this.#refreshed(credential, thrown));
    }
  }

  /** Passes the messages of a stream on. */
  async *#guarded<T>(
    credential: Credential | undefined,
    messages: AsyncIterable<T>,
  ): AsyncGenerator<T, void, undefined> {
    try {
      yield* messages;
    } catch (thrown) {
      throw await this.#interruption(credential, thrown);
    }
  }

  /** Returns the error of a stream whose access token has expired, after the refresh. Throws all other errors. */
  async #interruption(credential: Credential | undefined, thrown: unknown): Promise<ConnectError> {
    await this.#refreshed(credential, thrown);
    return new ConnectError("the access token expired and was refreshed; call again", Code.Unavailable);
  }

  /** Returns the tokens after a refresh if one can help against the error. Throws the error otherwise. */
  async #refreshed(sent: Credential | undefined, thrown: unknown): Promise<Credential> {
    if (sent === undefined || !refreshable.has(callError(thrown).reason)) throw thrown;
    const credential = await this.#refresh(sent);
    if (credential === undefined) throw thrown;
    return credential;
  }

  /** Replaces the tokens that were sent. All callers at one time share one call of RefreshSession. */
  async #refresh(sent: Credential): Promise<Credential | undefined> {
    if (this.#credential !== sent) return this.#credential;
    this.#refreshing ??= this.#replace(sent).finally(() => (this.#refreshing = undefined));
    return this.#refreshing;
  }

  /**
   * Refuses to act with the cookies of another sign-in. Otherwise a page that shows one person's data would act for the
   * person who has signed in in another tab since.
   */
  #requireOwnCookies(): void {
    if (!this.#usesCookies || cookieSignIn.id() === this.#signInId) return;
    const error = new ConnectError(
      "somebody has signed in in another tab; reload the page",
      Code.Unauthenticated,
      undefined,
      [{ desc: ErrorInfoSchema, value: { reason: "ERROR_REASON_TOKEN_INVALID", domain: "vintedbot" } }],
    );
    this.#end(this.#credential, callError(error));
    throw error;
  }

  async #replace(sent: Credential): Promise<Credential | undefined> {
    this.#requireOwnCookies();
    const store = this.#store;
    if (store === undefined) return this.#requestTokens(sent);
    return store.exclusive(async () => {
      const stored = store.load();
      if (stored?.refreshToken === sent.tokens?.refreshToken) return this.#requestTokens(sent);
      return this.#adopt(sent, stored);
    });
  }

  /** Adopts the change of another page, which has refreshed the tokens, signed out, or signed another person in. */
  #adopt(sent: Credential, stored: TokenPair | undefined): Credential | undefined {
    if (stored === undefined || !isSameSession(stored, sent.tokens)) this.#end(sent);
    else if (this.#credential === sent) this.#credential = ofUnknownAge(stored);
    return this.#credential;
  }

  async #requestTokens(sent: Credential): Promise<Credential | undefined> {
    for (let attempt = 1; ; attempt++) {
      let tokens: SessionTokens | undefined;
      try {
        ({ tokens } = await this.#auth.refreshSession(
          { refreshToken: sent.tokens?.refreshToken ?? "" },
          { headers: this.#headers(undefined), timeoutMs: refreshTimeoutMs },
        ));
      } catch (thrown) {
        const error = callError(thrown);
        if (sessionEnded.has(error.reason)) this.#end(sent, error);
        const waitMs = Math.max(firstWaitMs * 2 ** (attempt - 1), error.retryAfterMs ?? 0);
        if (isFinal(error) || attempt === refreshAttempts || waitMs > longestWaitMs) throw thrown;
        await sleep(waitMs);
        continue;
      }
      // The person may have signed out or in during the call, here or in another page.
      if (this.#credential !== sent) return this.#credential;
      const stored = this.#store?.load();
      if (this.#store !== undefined && stored?.refreshToken !== sent.tokens?.refreshToken) {
        return this.#adopt(sent, stored);
      }
      return this.#receive(tokens);
    }
  }

  #receive(tokens: SessionTokens | undefined): Credential {
    if (tokens === undefined) throw incomplete("tokens");
    const { accessToken, refreshToken } = tokens;
    const credential: Credential = {
      tokens: this.#usesCookies ? undefined : { accessToken, refreshToken },
      // Measured from the arrival of the tokens, because this clock may differ from the server's.
      refreshAtMs: Date.now() + accessTokenLifetimeMs - refreshAheadMs,
    };
    this.#credential = credential;
    if (credential.tokens !== undefined) {
      this.#store?.save(credential.tokens);
      this.#options.onTokens?.(credential.tokens);
    }
    return credential;
  }

  #end(credential: Credential | undefined, error?: CallError): void {
    if (credential === undefined || credential !== this.#credential) return;
    this.#credential = undefined;
    // The tokens of another person stay.
    const stored = this.#store?.load();
    if (stored !== undefined && isSameSession(stored, credential.tokens)) this.#store?.save(undefined);
    this.#options.onSignedOut?.(error);
  }
}

function isSameSession(stored: TokenPair, ours: TokenPair | undefined): boolean {
  return sessionIdOf(stored.accessToken) === sessionIdOf(ours?.accessToken ?? "");
}

function isStore(tokens: AuthSessionOptions["tokens"]): tokens is TokenStore {
  return typeof tokens === "object" && "load" in tokens;
}

/** Returns the credential of stored tokens, which are used until the server refuses them. */
function ofUnknownAge(tokens: TokenPair | undefined): Credential {
  return { tokens, refreshAtMs: Infinity };
}

function incomplete(what: string): ConnectError {
  return new ConnectError(`the server's response contains no ${what}`, Code.Internal);
}
