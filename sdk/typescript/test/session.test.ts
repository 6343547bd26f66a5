import assert from "node:assert/strict";
import { test } from "node:test";

import { Code, ConnectError, createRouterTransport, type ConnectRouter } from "@connectrpc/connect";

import {
  AuthService,
  AuthSession,
  callError,
  createServices,
  ErrorReason,
  EventService,
  watch,
  type AuthSessionOptions,
  type CallError,
  type TokenPair,
} from "../src/index.js";
import { ErrorInfoSchema } from "../src/gen/google/rpc/error_details_pb.js";

const minuteMs = 60_000;
const expired: TokenPair = { accessToken: "access-0", refreshToken: "refresh-0" };

function refusal(reason: string): ConnectError {
  return new ConnectError("no", Code.Unauthenticated, undefined, [
    { desc: ErrorInfoSchema, value: { reason: `ERROR_REASON_${reason}`, domain: "vintedbot" } },
  ]);
}

/** A server with one session, whose tokens are numbered. `refresh` answers the `n`th RefreshSession, from 1. */
class Server {
  /** The number of the valid tokens. */
  valid = 1;
  readonly headers: Headers[] = [];
  readonly refreshTokens: string[] = [];

  constructor(private readonly refresh = (_n: number, rotate: () => TokenPair): TokenPair => rotate()) {}

  session(options: AuthSessionOptions) {
    const routes = (router: ConnectRouter): void => this.routes(router);
    const session = new AuthSession(createRouterTransport(routes), options);
    const transport = createRouterTransport(routes, { transport: { interceptors: [session.interceptor] } });
    return { session, vintedbot: createServices(transport) };
  }

  private pair(): TokenPair {
    return { accessToken: `access-${this.valid}`, refreshToken: `refresh-${this.valid}` };
  }

  private authenticate(header: Headers): void {
    this.headers.push(header);
    if (header.get("x-csrf-protection") !== null) {
      if (this.valid === 1) throw refusal("TOKEN_MISSING");
      return;
    }
    const authorization = header.get("authorization");
    if (authorization === null) throw refusal("TOKEN_MISSING");
    if (authorization !== `Bearer access-${this.valid}`) throw refusal("TOKEN_EXPIRED");
  }

  private routes({ service }: ConnectRouter): void {
    service(AuthService, {
      signIn: ({ email, useCookies }, { requestHeader }) => {
        this.headers.push(requestHeader);
        return { user: { email }, tokens: useCookies ? {} : this.pair() };
      },
      refreshSession: ({ refreshToken }, { requestHeader }) => {
        this.headers.push(requestHeader);
        this.refreshTokens.push(refreshToken);
        const rotate = (): TokenPair => {
          this.valid++;
          return this.pair();
        };
        return { tokens: this.refresh(this.refreshTokens.length, rotate) };
      },
      getMe: (_, { requestHeader }) => {
        this.authenticate(requestHeader);
        return { workspaceId: "w" };
      },
      signOut: (_, { requestHeader }) => {
        this.authenticate(requestHeader);
        return {};
      },
    });
    const authenticate = (header: Headers): void => this.authenticate(header);
    service(EventService, {
      async *watch(request, { requestHeader }) {
        authenticate(requestHeader);
        const sequence = Number(request.cursor) + 1;
        yield {
          cursor: String(sequence),
          message: { case: "event" as const, value: { sequence: BigInt(sequence) } },
        };
        throw refusal("TOKEN_EXPIRED");
      },
    });
  }
}

test("concurrent calls with an expired token refresh once", async () => {
  const server = new Server();
  const stored: TokenPair[] = [];
  const { session, vintedbot } = server.session({
    tokens: expired,
    onTokens: (tokens) => stored.push(tokens),
  });
  const answers = await Promise.all(Array.from({ length: 50 }, () => vintedbot.auth.getMe({})));
  assert.ok(answers.every(({ workspaceId }) => workspaceId === "w"));
  assert.deepEqual(server.refreshTokens, ["refresh-0"]);
  assert.deepEqual(stored, [{ accessToken: "access-2", refreshToken: "refresh-2" }]);
  assert.deepEqual(session.tokens, stored[0]);
});

test("sign-in stores tokens and calls send them", async () => {
  const server = new Server();
  const stored: TokenPair[] = [];
  const { session, vintedbot } = server.session({ onTokens: (tokens) => stored.push(tokens) });
  const user = await session.signIn({ email: "anna@example.com", password: "secret" });
  assert.equal(user.email, "anna@example.com");
  assert.deepEqual(stored, [{ accessToken: "access-1", refreshToken: "refresh-1" }]);
  await vintedbot.auth.getMe({});
  assert.deepEqual(
    server.headers.map((header) => header.get("authorization")),
    [null, "Bearer access-1"],
  );
});

test("token is refreshed 30 seconds before it expires", async (t) => {
  t.mock.timers.enable({ apis: ["Date"] });
  const server = new Server();
  const { session, vintedbot } = server.session({});
  await session.signIn({ email: "anna@example.com", password: "secret" });
  t.mock.timers.tick(14.5 * minuteMs - 1);
  await vintedbot.auth.getMe({});
  assert.deepEqual(server.refreshTokens, []);
  t.mock.timers.tick(1);
  await vintedbot.auth.getMe({});
  assert.deepEqual(server.refreshTokens, ["refresh-1"]);
  assert.equal(server.headers.at(-1)?.get("authorization"), "Bearer access-2");
});

test("lost answer is requested again with the same token", async () => {
  let lost: TokenPair;
  const server = new Server((n, rotate) => {
    if (n > 1) return lost;
    lost = rotate();
    throw new ConnectError("connection lost", Code.Unknown);
  });
  const { session, vintedbot } = server.session({ tokens: expired });
  await vintedbot.auth.getMe({});
  assert.deepEqual(server.refreshTokens, ["refresh-0", "refresh-0"]);
  assert.equal(session.tokens?.accessToken, "access-2");
});

test("unreachable server does not end the session", async () => {
  const server = new Server(() => {
    throw new ConnectError("connection lost", Code.Unknown);
  });
  const { session, vintedbot } = server.session({
    tokens: expired,
    onSignedOut: () => assert.fail("the session has not ended"),
  });
  await assert.rejects(vintedbot.auth.getMe({}), /connection lost/);
  assert.deepEqual(session.tokens, expired);
});

test("refused refresh ends the session once", async () => {
  const server = new Server(() => {
    throw refusal("REFRESH_TOKEN_REUSED");
  });
  const ends: (CallError | undefined)[] = [];
  const { session, vintedbot } = server.session({
    tokens: expired,
    onSignedOut: (error) => ends.push(error),
  });
  const outcomes = await Promise.allSettled(Array.from({ length: 50 }, () => vintedbot.auth.getMe({})));
  assert.ok(outcomes.every(({ status }) => status === "rejected"));
  assert.deepEqual(
    ends.map((error) => error?.reason),
    [ErrorReason.REFRESH_TOKEN_REUSED],
  );
  assert.equal(session.tokens, undefined);

  const later = await vintedbot.auth.getMe({}).catch(callError);
  assert.equal((later as CallError).reason, ErrorReason.TOKEN_MISSING);
  assert.equal(server.refreshTokens.length, 1);
  assert.equal(ends.length, 1);
});

test("stream resumes with the new token", async () => {
  const server = new Server();
  const { vintedbot } = server.session({ tokens: expired });
  const seen: bigint[] = [];
  const cuts: Code[] = [];
  for await (const { message } of watch(vintedbot.events, {
    onState: (state) => state.status === "waiting" && cuts.push(state.error.code),
  })) {
    if (message.case === "event") seen.push(message.value.sequence);
    if (seen.length === 2) break;
  }
  assert.deepEqual(seen, [1n, 2n]);
  assert.deepEqual(cuts, [Code.Unavailable, Code.Unavailable]);
  assert.deepEqual(server.refreshTokens, ["refresh-0", "refresh-2"]);
});

test("refused refresh ends a watch", async () => {
  const server = new Server(() => {
    throw refusal("REFRESH_TOKEN_INVALID");
  });
  const { vintedbot } = server.session({ tokens: expired });
  const thrown = await watch(vintedbot.events).next().catch(callError);
  assert.equal((thrown as CallError).reason, ErrorReason.REFRESH_TOKEN_INVALID);
});

test("sign-out ends the session and reports it once", async () => {
  const server = new Server();
  const ends: (CallError | undefined)[] = [];
  const { session } = server.session({ tokens: expired, onSignedOut: (error) => ends.push(error) });
  await session.signOut();
  await session.signOut();
  assert.equal(session.tokens, undefined);
  assert.deepEqual(ends, [undefined]);
  assert.equal(server.headers[2]?.get("authorization"), "Bearer access-2");
});

test("cookies send the CSRF header and no token", async () => {
  const server = new Server();
  const { session, vintedbot } = server.session({
    tokens: "cookies",
    onTokens: () => assert.fail("scripts do not see the tokens"),
  });
  await session.signIn({ email: "anna@example.com", password: "secret" });
  await vintedbot.auth.getMe({});
  assert.deepEqual(server.refreshTokens, [""]);
  assert.equal(session.tokens, undefined);
  assert.equal(server.headers.length, 4);
  for (const header of server.headers) {
    assert.equal(header.get("x-csrf-protection"), "1");
    assert.equal(header.get("authorization"), null);
  }
});
