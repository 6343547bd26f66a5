import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";

import { Code, ConnectError, createRouterTransport, type ConnectRouter } from "@connectrpc/connect";

import {
  AuthService,
  AuthSession,
  callError,
  createServices,
  ErrorReason,
  localTokens,
  type CallError,
  type Services,
  type TokenPair,
  type TokenStore,
} from "../src/index.js";
import { ErrorInfoSchema } from "../src/gen/google/rpc/error_details_pb.js";
import { sessionIdOf } from "../src/tokens.js";

function refusal(reason: string): ConnectError {
  return new ConnectError("no", Code.Unauthenticated, undefined, [
    { desc: ErrorInfoSchema, value: { reason: `ERROR_REASON_${reason}`, domain: "vintedbot" } },
  ]);
}

/** Returns an access token as the server's: a signed text with the session's id. */
function accessToken(session: string, generation: number): string {
  const payload = btoa(JSON.stringify({ sid: session, generation }))
    .replaceAll("+", "-")
    .replaceAll("/", "_");
  return `header.${payload.replace(/=+$/, "")}.signature`;
}

function pair(session: string, generation: number): TokenPair {
  return { accessToken: accessToken(session, generation), refreshToken: `${session}-${generation}` };
}

/** A server with sessions. A session has a generation, and only the tokens of the current one are valid. */
class Server {
  readonly generations = new Map<string, number>();
  readonly refreshes: string[] = [];
  /** Runs before each answer to RefreshSession. */
  beforeRefresh: () => void | Promise<void> = () => undefined;

  start(session: string): TokenPair {
    this.generations.set(session, 1);
    return pair(session, 1);
  }

  /** Makes the access tokens of a session expire. Its refresh tokens stay valid. */
  readonly expired = new Set<string>();

  routes({ service }: ConnectRouter): void {
    const authenticate = (header: Headers): string => {
      const token = header.get("authorization")?.replace("Bearer ", "");
      if (token === undefined) throw refusal("TOKEN_MISSING");
      const session = sessionIdOf(token) ?? "";
      const generation = this.generations.get(session);
      if (generation === undefined) throw refusal("TOKEN_INVALID");
      if (token !== accessToken(session, generation) || this.expired.has(session))
        throw refusal("TOKEN_EXPIRED");
      return session;
    };
    service(AuthService, {
      signIn: ({ email }) => ({ user: { email }, tokens: this.start(email) }),
      refreshSession: async ({ refreshToken }) => {
        this.refreshes.push(refreshToken);
        await this.beforeRefresh();
        const [session = "", generation] = refreshToken.split("-");
        const current = this.generations.get(session);
        if (current === undefined) throw refusal("REFRESH_TOKEN_INVALID");
        if (Number(generation) !== current) {
          this.generations.delete(session);
          throw refusal("REFRESH_TOKEN_REUSED");
        }
        this.generations.set(session, current + 1);
        this.expired.delete(session);
        return { tokens: pair(session, current + 1) };
      },
      getMe: (_, { requestHeader }) => ({ workspaceId: authenticate(requestHeader) }),
      signOut: (_, { requestHeader }) => {
        this.generations.delete(authenticate(requestHeader));
        return {};
      },
    });
  }
}

/** A store in memory, which tabs share. */
class SharedStore implements TokenStore {
  tokens: TokenPair | undefined;
  #last: Promise<unknown> = Promise.resolve();

  load(): TokenPair | undefined {
    return this.tokens;
  }

  save(tokens: TokenPair | undefined): void {
    this.tokens = tokens;
  }

  exclusive<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#last.then(run);
    this.#last = result.catch(() => undefined);
    return result;
  }
}

interface Tab {
  session: AuthSession;
  services: Services;
  /** The arguments of the calls of `onSignedOut`. */
  ends: (CallError | undefined)[];
}

/** Opens a page with a session in the store. */
function openTab(server: Server, store: TokenStore | "cookies"): Tab {
  const routes = (router: ConnectRouter): void => server.routes(router);
  const ends: (CallError | undefined)[] = [];
  const session = new AuthSession(createRouterTransport(routes), {
    tokens: store,
    onSignedOut: (error) => ends.push(error),
  });
  const transport = createRouterTransport(routes, { transport: { interceptors: [session.interceptor] } });
  return { session, services: createServices(transport), ends };
}

function whoIs({ services }: Tab): Promise<string> {
  return services.auth.getMe({}).then(
    ({ workspaceId }) => workspaceId,
    (thrown: unknown) => callError(thrown).reasonName,
  );
}

function signIn({ session }: Tab, email: string): Promise<unknown> {
  return session.signIn({ email, password: "secret" });
}

test("session of the store is continued by a new page", async () => {
  const [server, store] = [new Server(), new SharedStore()];
  await signIn(openTab(server, store), "anna");
  assert.deepEqual(store.tokens, pair("anna", 1));
  const other = openTab(server, store);
  assert.equal(other.session.isSignedIn, true);
  assert.equal(await whoIs(other), "anna");
});

test("fifty calls in each of two pages refresh once", async () => {
  const [server, store] = [new Server(), new SharedStore()];
  store.save(server.start("anna"));
  const pages = [openTab(server, store), openTab(server, store)] as const;
  server.expired.add("anna");
  const calls = pages.flatMap((page) => Array.from({ length: 50 }, () => whoIs(page)));
  assert.deepEqual(new Set(await Promise.all(calls)), new Set(["anna"]));
  assert.deepEqual(server.refreshes, ["anna-1"]);
  assert.deepEqual(store.tokens, pair("anna", 2));
  assert.deepEqual(
    pages.map(({ session }) => session.tokens),
    [store.tokens, store.tokens],
  );
});

test("page adopts the tokens of a refresh that it missed", async () => {
  const [server, store] = [new Server(), new SharedStore()];
  store.save(server.start("anna"));
  const [first, second] = [openTab(server, store), openTab(server, store)];
  for (let generation = 1; generation <= 3; generation++) {
    server.expired.add("anna");
    assert.equal(await whoIs(first), "anna");
  }
  assert.equal(await whoIs(second), "anna");
  assert.equal(server.refreshes.length, 3);
  assert.deepEqual(second.session.tokens, pair("anna", 4));
});

test("sign-out in another page ends the session here", async () => {
  const [server, store] = [new Server(), new SharedStore()];
  store.save(server.start("anna"));
  const [first, second] = [openTab(server, store), openTab(server, store)];
  await first.session.signOut();
  assert.equal(store.tokens, undefined);
  assert.equal(await whoIs(second), "ERROR_REASON_TOKEN_INVALID");
  assert.equal(second.session.isSignedIn, false);
  assert.deepEqual(second.ends, [undefined]);
  assert.deepEqual(server.refreshes, [], "tokens that were removed are not used");
});

test("another person is never acted for", async () => {
  const [server, store] = [new Server(), new SharedStore()];
  store.save(server.start("anna"));
  const [first, second] = [openTab(server, store), openTab(server, store)];
  await first.session.signOut();
  await signIn(first, "dan");
  assert.equal(await whoIs(second), "ERROR_REASON_TOKEN_INVALID");
  assert.equal(second.session.isSignedIn, false);
  assert.deepEqual(second.ends, [undefined]);
  assert.deepEqual(store.tokens, pair("dan", 1), "the other person stays signed in");
  assert.equal(await whoIs(first), "dan");
  assert.equal(await whoIs(openTab(server, store)), "dan");
});

test("refresh does not touch the tokens of another person", async () => {
  const [server, store] = [new Server(), new SharedStore()];
  store.save(server.start("anna"));
  const [first, second] = [openTab(server, store), openTab(server, store)];
  await signIn(second, "dan");
  server.expired.add("anna");
  assert.equal(await whoIs(first), "ERROR_REASON_TOKEN_EXPIRED");
  assert.deepEqual(server.refreshes, []);
  assert.deepEqual(store.tokens, pair("dan", 1));
});

test("sign-out does not remove the tokens of another person", async () => {
  const [server, store] = [new Server(), new SharedStore()];
  store.save(server.start("anna"));
  const [first, second] = [openTab(server, store), openTab(server, store)];
  await signIn(second, "dan");
  await first.session.signOut();
  assert.equal(first.session.isSignedIn, false);
  assert.deepEqual(store.tokens, pair("dan", 1));
  server.expired.add("dan");
  assert.equal(await whoIs(second), "dan");
});

test("sign-in during another page's refresh is kept", async () => {
  const [server, store] = [new Server(), new SharedStore()];
  store.save(server.start("anna"));
  const [first, second] = [openTab(server, store), openTab(server, store)];
  server.expired.add("anna");
  server.beforeRefresh = async () => void (await signIn(second, "dan"));
  await whoIs(first);
  assert.deepEqual(store.tokens, pair("dan", 1));
  assert.equal(first.session.isSignedIn, false);
});

test("sign-out during another page's refresh is kept", async () => {
  const [server, store] = [new Server(), new SharedStore()];
  store.save(server.start("anna"));
  const first = openTab(server, store);
  server.expired.add("anna");
  server.beforeRefresh = () => store.save(undefined);
  await whoIs(first);
  assert.equal(store.tokens, undefined);
  assert.equal(first.session.isSignedIn, false);
});

test("ended session is removed from the store", async () => {
  const [server, store] = [new Server(), new SharedStore()];
  store.save(server.start("anna"));
  const [first, second] = [openTab(server, store), openTab(server, store)];
  server.generations.delete("anna");
  await whoIs(first);
  assert.equal(store.tokens, undefined);
  assert.equal(first.ends[0]?.reason, ErrorReason.REFRESH_TOKEN_INVALID);
  await whoIs(second);
  assert.deepEqual(second.ends, [undefined]);
  assert.equal(server.refreshes.length, 1);
});

/** A `localStorage` in memory. */
function installStorage(t: TestContext, content: Record<string, string> = {}): Map<string, string> {
  const entries = new Map(Object.entries(content));
  const storage = {
    getItem: (key: string) => entries.get(key) ?? null,
    setItem: (key: string, value: string) => void entries.set(key, value),
    removeItem: (key: string) => void entries.delete(key),
  };
  install(t, "localStorage", storage);
  install(t, "navigator", {});
  return entries;
}

function install(t: TestContext, name: string, value: unknown): void {
  const before = Object.getOwnPropertyDescriptor(globalThis, name);
  Object.defineProperty(globalThis, name, { value, configurable: true });
  t.after(() => {
    if (before === undefined) Reflect.deleteProperty(globalThis, name);
    else Object.defineProperty(globalThis, name, before);
  });
}

test("local storage keeps and removes the tokens", (t) => {
  const entries = installStorage(t);
  const store = localTokens("mine");
  assert.equal(store.load(), undefined);
  store.save(pair("anna", 1));
  assert.deepEqual([...entries.keys()], ["mine"]);
  assert.deepEqual(localTokens("mine").load(), pair("anna", 1));
  assert.equal(localTokens().load(), undefined);
  store.save(undefined);
  assert.equal(entries.size, 0);
});

for (const text of [
  "{",
  "null",
  '"text"',
  "[]",
  '{"accessToken":"a"}',
  '{"accessToken":1,"refreshToken":[]}',
]) {
  test(`stored ${text} counts as signed out`, async (t) => {
    installStorage(t, { "vintedbot.tokens": text });
    const tab = openTab(new Server(), localTokens());
    assert.equal(tab.session.isSignedIn, false);
    assert.equal(await whoIs(tab), "ERROR_REASON_TOKEN_MISSING");
    await signIn(tab, "anna");
    assert.equal(await whoIs(tab), "anna");
  });
}

test("blocked storage keeps the session in this page", async (t) => {
  install(t, "navigator", {});
  Object.defineProperty(globalThis, "localStorage", {
    get: () => {
      throw new DOMException("The operation is insecure", "SecurityError");
    },
    configurable: true,
  });
  t.after(() => Reflect.deleteProperty(globalThis, "localStorage"));
  const server = new Server();
  const tab = openTab(server, localTokens());
  await signIn(tab, "anna");
  server.expired.add("anna");
  assert.equal(await whoIs(tab), "anna");
  assert.equal(await whoIs(tab), "anna");
  await tab.session.signOut();
  assert.equal(tab.session.isSignedIn, false);
});

test("refresh holds the lock of the store", async (t) => {
  installStorage(t);
  const names: string[] = [];
  const locks = { request: (name: string, run: () => unknown) => (names.push(name), run()) };
  install(t, "navigator", { locks });
  const server = new Server();
  const tab = openTab(server, localTokens("mine"));
  await signIn(tab, "anna");
  server.expired.add("anna");
  await whoIs(tab);
  assert.deepEqual(names, ["mine"]);
});

test("tabs share a stream only in the same session", async (t) => {
  const [server, store] = [new Server(), new SharedStore()];
  await signIn(openTab(server, store), "anna");
  const anna = openTab(server, store).session.sharedId;
  assert.equal(openTab(server, store).session.sharedId, anna);
  await signIn(openTab(server, store), "dan");
  assert.notEqual(openTab(server, store).session.sharedId, anna);

  installStorage(t);
  const withCookies = (): AuthSession =>
    new AuthSession(
      createRouterTransport((router) => server.routes(router)),
      { tokens: "cookies" },
    );
  await withCookies().signIn({ email: "anna", password: "secret" });
  const first = withCookies().sharedId;
  assert.equal(withCookies().sharedId, first);
  await withCookies().signIn({ email: "dan", password: "secret" });
  assert.notEqual(withCookies().sharedId, first, "another person gets no event of the first one");
});

test("session id is read from an access token only", () => {
  // The payload contains both characters in which base64url differs from base64.
  const token = accessToken("s>>>???", 1);
  assert.match(token, /-.*_|_.*-/);
  assert.equal(sessionIdOf(token), "s>>>???");
  for (const text of ["", "vb_token", "a.b.c", "a.e30.c"]) assert.equal(sessionIdOf(text), undefined);
});

test("tab does not act with the cookies of another sign-in", async (t) => {
  installStorage(t);
  /** The person of the browser's cookies, which all tabs share. */
  let cookies = "anna";
  const calls: string[] = [];
  const server = {
    routes({ service }: ConnectRouter): void {
      service(AuthService, {
        signIn: ({ email }) => {
          cookies = email;
          return { user: { email }, tokens: {} };
        },
        getMe: () => ({ workspaceId: cookies }),
        signOut: () => {
          calls.push(`sign out ${cookies}`);
          return {};
        },
        refreshSession: () => {
          calls.push(`refresh ${cookies}`);
          return { tokens: {} };
        },
      });
    },
  } as unknown as Server;
  const [first, second] = [openTab(server, "cookies"), openTab(server, "cookies")];
  assert.equal(await whoIs(first), "anna");
  await signIn(second, "dan");
  assert.equal(await whoIs(second), "dan");
  assert.equal(await whoIs(first), "ERROR_REASON_TOKEN_INVALID");
  await first.session.signOut();
  assert.equal(await whoIs(first), "ERROR_REASON_TOKEN_INVALID", "a tab that has ended sends nothing either");
  assert.deepEqual(calls, []);
  assert.deepEqual(
    first.ends.map((error) => error?.reason),
    [ErrorReason.TOKEN_INVALID],
  );
  await signIn(first, "anna");
  assert.equal(await whoIs(first), "anna");
});
