/**
 * The functions that the browser test runs inside the page. They use the SDK as a front end does and return plain data.
 */
import { fromJson, type JsonValue } from "@bufbuild/protobuf";

import {
  callError,
  createVintedbot,
  ErrorReason,
  EventKind,
  localTokens,
  UploadPhotoResponseSchema,
  watch,
  type Photo,
  type SessionVintedbot,
  type WatchState,
} from "../src/index.js";

interface Server {
  baseUrl: string;
  token: string;
}

/** How to watch. */
interface Watching {
  /** Whether all tabs share one stream. */
  isShared?: boolean;
  silenceMs?: number;
  snapshot?: boolean;
  /** A page that reads slowly waits this long after each event. */
  readMs?: number;
}

let seen: { sequence: string; kind: string; resourceId: string }[] = [];
let cursors: string[] = [];
let states: { status: string; problem: string }[] = [];
let failure: ReturnType<typeof plainError> | undefined;
let stop = new AbortController();

let progress: [number, number][] = [];

let session: SessionVintedbot | undefined;
let ends: string[] = [];

function connect({ baseUrl, token }: Server, timeoutMs?: number) {
  return createVintedbot({ baseUrl, auth: { token }, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
}

/** Returns the error of a call. */
async function failed(call: Promise<unknown>) {
  try {
    await call;
  } catch (thrown) {
    return plainError(thrown);
  }
  throw new Error("the call did not fail");
}

const page = {
  async getMe(server: Server) {
    const { workspaceId, scopes } = await connect(server).auth.getMe({});
    return { workspaceId, scopes };
  },

  /** Calls a method that must fail, and returns the error and the duration. */
  async getMeFails(server: Server, timeoutMs?: number) {
    const began = performance.now();
    const error = await failed(connect(server, timeoutMs).auth.getMe({}));
    return { ...error, durationMs: performance.now() - began };
  },

  async createAccount(server: Server, displayName: string) {
    const { account } = await connect(server).accounts.createAccount({ displayName, market: "fr" });
    if (account === undefined) throw new Error("the response contains no account");
    return account.id;
  },

  async deleteAccount(server: Server, id: string) {
    await connect(server).accounts.deleteAccount({ id });
  },

  /** Creates a listing with a title that is too long, and returns the error. */
  createWrongListing(server: Server, accountId: string) {
    const listing = { title: "ab ".repeat(40) };
    return failed(connect(server).listings.createListing({ accountId, listing }));
  },

  /** Gets a listing that does not exist, and returns the error. */
  getMissingListing(server: Server, id: string, requestId: string) {
    const options = requestId === "" ? {} : { headers: { "x-request-id": requestId } };
    return failed(connect(server).listings.getListing({ id }, options));
  },

  /** Starts to watch; `watched` returns what was received. */
  startWatch(server: Server, { isShared = false, readMs = 0, ...options }: Watching = {}) {
    const vintedbot = connect(server);
    stop = new AbortController();
    [seen, cursors, states, failure] = [[], [], [], undefined];
    const onState = (state: WatchState): void => {
      states.push({
        status: state.status,
        problem: state.status === "waiting" ? (state.error.problem ?? "") : "",
      });
    };
    const run = async (): Promise<void> => {
      const all = { ...options, signal: stop.signal, onState };
      for await (const { cursor, message } of isShared
        ? vintedbot.watch(all)
        : watch(vintedbot.events, all)) {
        if (cursor !== "") cursors.push(cursor);
        if (message.case !== "event") continue;
        const { sequence, kind, resourceId } = message.value;
        seen.push({ sequence: String(sequence), kind: EventKind[kind] ?? String(kind), resourceId });
        if (readMs > 0) await new Promise((resolve) => setTimeout(resolve, readMs));
      }
    };
    run().catch((thrown: unknown) => (failure = plainError(thrown)));
  },

  watched() {
    const cuts = states.filter(({ status }) => status === "waiting").length;
    return { seen, cursors: cursors.length, cuts, states, failure };
  },

  stopWatch() {
    stop.abort();
  },

  /** Makes the page hidden or visible for its scripts. */
  setHidden(isHidden: boolean) {
    Object.defineProperty(document, "hidden", { value: isHidden, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  },

  /** Uploads a picture by the unary call, and displays it. */
  async upload(server: Server) {
    const data = new Uint8Array(await (await picture("seagreen")).arrayBuffer());
    const { photo } = await connect(server).media.uploadPhoto({ data, fileName: "green.jpg" });
    return shown(photo);
  },

  /** Uploads a picture by HTTP PUT to a signed URL, and displays it. */
  async put(server: Server) {
    const body = await picture("tomato");
    const { media } = connect(server);
    const { url } = await media.createUploadUrl({ fileName: "red.jpg", sizeBytes: BigInt(body.size) });
    const response = await fetch(url, { method: "PUT", body });
    if (!response.ok) throw new Error(`PUT answered ${response.status}: ${await response.text()}`);
    return shown(fromJson(UploadPhotoResponseSchema, (await response.json()) as JsonValue).photo);
  },

  /** Uploads a large picture with `uploadPhoto`, and displays it. */
  async uploadWithProgress(server: Server) {
    progress = [];
    const file = new File([await picture("noise")], "noise.jpg");
    const { photo } = await connect(server).uploadPhoto(file, {
      onProgress: (sent, total) => progress.push([sent, total]),
    });
    return { ...(await shown(photo)), fileName: photo?.fileName, size: file.size, progress };
  },

  /** Aborts an upload when its first bytes are sent, and returns the error. */
  async abortUpload(server: Server) {
    progress = [];
    const abort = new AbortController();
    const call = connect(server).uploadPhoto(await picture("noise"), {
      signal: abort.signal,
      onProgress: (sent, total) => {
        progress.push([sent, total]);
        abort.abort();
      },
    });
    return { ...(await failed(call)), progress };
  },

  /** Uploads a text as a photo, and returns the error. */
  uploadText(server: Server) {
    return failed(connect(server).uploadPhoto(new File(["no picture"], "text.jpg")));
  },

  /** Opens the session in this origin's storage. Returns whether a person is signed in. */
  openSession(baseUrl: string) {
    ends = [];
    session = createVintedbot({
      baseUrl,
      auth: { tokens: localTokens(), onSignedOut: (error) => ends.push(error?.reasonName ?? "") },
    });
    return session.session.isSignedIn;
  },

  async signIn(email: string, password: string) {
    const user = await session?.session.signIn({ email, password });
    return user?.email;
  },

  async signOut() {
    await session?.session.signOut();
  },

  /** Returns the name of the person, or the error of the call. */
  async whoAmI() {
    try {
      return (await session?.auth.getMe({}))?.user?.email ?? "";
    } catch (thrown) {
      return plainError(thrown).reason;
    }
  },

  sessionState() {
    return { isSignedIn: session?.session.isSignedIn, ends, tokens: localTokens().load() };
  },

  /** Starts to watch in the session. */
  watchSession() {
    const vintedbot = session;
    if (vintedbot === undefined) throw new Error("no session is open");
    stop = new AbortController();
    [seen, cursors, states, failure] = [[], [], [], undefined];
    const run = async (): Promise<void> => {
      for await (const { cursor } of vintedbot.watch({ signal: stop.signal })) cursors.push(cursor);
    };
    run().catch((thrown: unknown) => (failure = plainError(thrown)));
  },
};

export type Page = typeof page;

declare global {
  interface Window {
    page: Page;
  }
}
window.page = page;

function plainError(thrown: unknown) {
  const { reason, code, metadata, violations, problem = "", message, requestId } = callError(thrown);
  return { reason: ErrorReason[reason] ?? "", code, metadata, violations, problem, message, requestId };
}

/** Draws a picture in one colour, or in random ones, which makes it large. */
async function picture(colour: string): Promise<Blob> {
  const canvas = document.createElement("canvas");
  canvas.width = 640;
  canvas.height = 480;
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("no canvas");
  if (colour === "noise") {
    canvas.width = 1600;
    canvas.height = 1200;
    const noise = context.createImageData(1600, 1200);
    for (let at = 0; at < noise.data.length; at += 60_000) {
      crypto.getRandomValues(noise.data.subarray(at, at + 60_000));
    }
    for (let at = 3; at < noise.data.length; at += 4) noise.data[at] = 255;
    context.putImageData(noise, 0, 0);
  } else {
    context.fillStyle = colour;
    context.fillRect(0, 0, 640, 480);
    context.fillStyle = "white";
    context.fillText(crypto.randomUUID(), 20, 40);
  }
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("no blob"))), "image/jpeg", 0.95);
  });
}

/** Displays the stored photo in the page, and returns its size as the browser decoded it. */
async function shown(photo: Photo | undefined) {
  if (photo === undefined) throw new Error("the response contains no photo");
  const image = new Image();
  image.src = photo.url;
  await image.decode();
  return { id: photo.id, width: image.naturalWidth, height: image.naturalHeight };
}
