import { Code, ConnectError } from "@connectrpc/connect";

/**
 * Why a call got no answer from vintedbot:
 *
 * - `offline`: the device has no network.
 * - `unreachable`: nothing answers at the base URL, or a browser blocks the request or hides a proxy's answer.
 * - `origin_not_allowed`: the server answers, but does not allow calls from pages of this origin.
 * - `not_vintedbot`: something else answers at the base URL, for example a web page.
 * - `proxy`: a proxy answered in the server's place, for example with 502.
 * - `silent`: a stream was silent for longer than the server's checkpoints allow.
 */
export type ConnectionProblem =
  "offline" | "unreachable" | "origin_not_allowed" | "not_vintedbot" | "proxy" | "silent";

const problems = new WeakMap<ConnectError, ConnectionProblem>();

/** Creates the error of a call that got no answer from vintedbot. */
export function connectionError(
  problem: ConnectionProblem,
  message: string,
  { code = Code.Unavailable, cause }: { code?: Code; cause?: unknown } = {},
): ConnectError {
  const error = new ConnectError(message, code, undefined, undefined, cause);
  problems.set(error, problem);
  return error;
}

/** Returns why a call got no answer from vintedbot. Absent if it got one, or if the connection broke during it. */
export function connectionProblem(error: ConnectError): ConnectionProblem | undefined {
  return problems.get(error);
}

/**
 * Returns the base URL without trailing slashes.
 *
 * @throws TypeError if it is not an absolute HTTP URL.
 */
export function checkedBaseUrl(baseUrl: string): string {
  const isHttp = typeof baseUrl === "string" && /^https?:\/\/[^/]/.test(baseUrl) && URL.canParse(baseUrl);
  if (!isHttp) {
    throw new TypeError(
      `baseUrl must be the server's address, such as "https://vintedbot.example" or "http://127.0.0.1:8080", ` +
        `not ${JSON.stringify(baseUrl)}; with Vite, set VITE_API_BASE_URL in .env and restart`,
    );
  }
  return baseUrl.replace(/\/+$/, "");
}

/** Wraps `fetch`, so that every answer that is not vintedbot's becomes an error that says what to do. */
export function guardedFetch(baseUrl: string, fetch: typeof globalThis.fetch): typeof globalThis.fetch {
  let hasAnswered = false;
  return async (input, init) => {
    let response: Response;
    try {
      response = await fetch(input, { ...init, redirect: "manual" });
    } catch (thrown) {
      if (init?.signal?.aborted) throw thrown;
      throw await noAnswer(baseUrl, fetch, thrown, hasAnswered, init?.signal);
    }
    const contentType = response.headers.get("content-type") ?? "";
    if (contentType.startsWith("application/grpc-web")) {
      hasAnswered = true;
      return intact(baseUrl, response, init?.signal);
    }
    await response.body?.cancel().catch(() => undefined);
    throw foreignAnswer(baseUrl, response.status, contentType);
  };
}

/** Returns a response whose body fails with `Code.Unavailable` if the connection breaks before the trailer's end. */
function intact(baseUrl: string, response: Response, signal: AbortSignal | null | undefined): Response {
  const { body, status, headers } = response;
  if (body === null || headers.has("grpc-status")) return response;
  const reader = body.getReader();
  const frames = new Frames();
  const broken = (cause?: unknown): ConnectError => {
    const text =
      `the connection to ${baseUrl} broke before the answer was complete: call again, with the same request_id if ` +
      `the method has one`;
    return new ConnectError(text, Code.Unavailable, undefined, undefined, cause);
  };
  const source: UnderlyingDefaultSource<Uint8Array> = {
    async pull(controller) {
      let next: Awaited<ReturnType<typeof reader.read>>;
      try {
        next = await reader.read();
      } catch (thrown) {
        controller.error(signal?.aborted ? thrown : broken(thrown));
        return;
      }
      if (!next.done) {
        frames.add(next.value);
        controller.enqueue(next.value);
      } else if (frames.isComplete || signal?.aborted) controller.close();
      else controller.error(broken());
    },
    cancel: (reason) => reader.cancel(reason),
  };
  // An error discards what is queued, so nothing is read ahead.
  return new Response(new ReadableStream(source, { highWaterMark: 0 }), { status, headers });
}

/** Follows the frames of gRPC-web: a byte of flags, four bytes with the length, and the data. */
class Frames {
  #header: number[] = [];
  #missing = 0;
  #isTrailer = false;

  get isComplete(): boolean {
    return this.#isTrailer && this.#missing === 0 && this.#header.length === 0;
  }

  add(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      if (this.#missing > 0) {
        const taken = Math.min(this.#missing, bytes.length - at);
        this.#missing -= taken;
        at += taken;
        continue;
      }
      this.#header.push(bytes[at++] ?? 0);
      if (this.#header.length < 5) continue;
      this.#isTrailer = ((this.#header[0] ?? 0) & 0x80) !== 0;
      this.#missing = new DataView(Uint8Array.from(this.#header).buffer).getUint32(1);
      this.#header = [];
    }
  }
}

async function noAnswer(
  baseUrl: string,
  fetch: typeof globalThis.fetch,
  cause: unknown,
  hasAnswered: boolean,
  signal: AbortSignal | null | undefined,
): Promise<ConnectError> {
  if (globalThis.navigator?.onLine === false) {
    return connectionError("offline", "this device is offline", { cause });
  }
  const origin = globalThis.location?.origin;
  // A server that has answered allows this origin: the connection broke, or a proxy answers in its place.
  if (!hasAnswered && origin !== undefined && origin !== new URL(baseUrl).origin) {
    if (origin.startsWith("https:") && baseUrl.startsWith("http:") && !isLocal(baseUrl)) {
      const text = `a browser blocks ${baseUrl} for pages that were loaded by https; serve vintedbot by https too`;
      return connectionError("unreachable", text, { cause });
    }
    // Browsers report a refused origin and a server that is down in the same way. Pages of every origin can read
    // `/health`, and those of allowed origins also `/ready`.
    const timeout = AbortSignal.timeout(5_000);
    const init: RequestInit = {
      cache: "no-store",
      credentials: "omit",
      // Safari before 17.4 has no `any`.
      signal: signal && "any" in AbortSignal ? AbortSignal.any([timeout, signal]) : timeout,
    };
    const isReadable = (path: string): Promise<boolean> =>
      fetch(baseUrl + path, init).then(
        ({ headers }) => headers.get("content-type") === "application/json",
        () => false,
      );
    if (!(await isReadable("/ready")) && (await isReadable("/health"))) {
      const text =
        `${baseUrl} answers, but not to pages of ${origin}: add this origin to ALLOWED_ORIGINS of the server ` +
        `and restart it`;
      return connectionError("origin_not_allowed", text, { code: Code.PermissionDenied, cause });
    }
  }
  const text =
    `nothing answers at ${baseUrl}: check that vintedbot runs there, and the host and port; if a proxy is in front, ` +
    `that it reaches vintedbot`;
  return connectionError("unreachable", text, { cause });
}

function isLocal(baseUrl: string): boolean {
  const { hostname } = new URL(baseUrl);
  return (
    hostname === "localhost" ||
    hostname.endsWith(".localhost") ||
    hostname === "[::1]" ||
    /^127\./.test(hostname)
  );
}

/** Returns the error of an answer that is not vintedbot's. */
export function foreignAnswer(baseUrl: string, status: number, contentType: string): ConnectError {
  const answer = `HTTP ${status} with ${contentType === "" ? "no content type" : `"${contentType}"`}`;
  if ([408, 429, 502, 503, 504].includes(status)) {
    const text = `a proxy in front of ${baseUrl} answered ${answer}: it cannot reach vintedbot now`;
    return connectionError("proxy", text);
  }
  if ([401, 403, 413].includes(status)) {
    const text = `a proxy in front of ${baseUrl} refused the call: ${answer}; let it pass calls to vintedbot`;
    return connectionError("proxy", text, { code: Code.Unknown });
  }
  // A browser hides the status of a redirect.
  if (status === 0 || (status >= 300 && status < 400)) {
    const text = `${baseUrl} redirects calls: use the address to which it redirects as the base URL`;
    return connectionError("not_vintedbot", text, { code: Code.Unknown });
  }
  const text =
    `${baseUrl} answered ${answer}, which is no answer of vintedbot: check that the address and port are those of ` +
    `vintedbot, and that a proxy passes all paths on`;
  return connectionError("not_vintedbot", text, { code: Code.Unknown });
}
