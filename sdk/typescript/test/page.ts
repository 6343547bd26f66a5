/**
 * The functions that the browser test runs inside the page. They use the SDK as a front end does and return plain data.
 */
import { fromJson, type JsonValue } from "@bufbuild/protobuf";

import {
  callError,
  createVintedbot,
  ErrorReason,
  EventKind,
  UploadPhotoResponseSchema,
  watch,
  type Photo,
} from "../src/index.js";

interface Server {
  baseUrl: string;
  token: string;
}

const seen: { sequence: string; kind: string; resourceId: string }[] = [];
let cursors = 0;
let cuts = 0;
let failure = "";
const stop = new AbortController();

const page = {
  async getMe(server: Server) {
    const { workspaceId, scopes } = await createVintedbot(server).auth.getMe({});
    return { workspaceId, scopes };
  },

  async createAccount(server: Server, displayName: string) {
    const { account } = await createVintedbot(server).accounts.createAccount({
      displayName,
      market: "fr",
      requestId: crypto.randomUUID(),
    });
    if (account === undefined) throw new Error("the response contains no account");
    return account.id;
  },

  async deleteAccount(server: Server, id: string) {
    await createVintedbot(server).accounts.deleteAccount({ id });
  },

  /** Creates a listing with a title that is too long, and returns the error. */
  async createWrongListing(server: Server, accountId: string) {
    try {
      await createVintedbot(server).listings.createListing({
        accountId,
        listing: { title: "ab ".repeat(40) },
      });
    } catch (thrown) {
      return plainError(thrown);
    }
    throw new Error("a title of 120 characters was accepted");
  },

  /** Gets a listing that does not exist, and returns the error. */
  async getMissingListing(server: Server, id: string) {
    try {
      await createVintedbot(server).listings.getListing({ id });
    } catch (thrown) {
      return plainError(thrown);
    }
    throw new Error("a listing that does not exist was found");
  },

  /** Starts to watch; `watched` returns the received events. */
  startWatch(server: Server) {
    const run = async (): Promise<void> => {
      const messages = watch(createVintedbot(server).events, { signal: stop.signal, onCut: () => cuts++ });
      for await (const { cursor, message } of messages) {
        if (cursor !== "") cursors++;
        if (message.case !== "event") continue;
        const { sequence, kind, resourceId } = message.value;
        seen.push({ sequence: String(sequence), kind: EventKind[kind] ?? String(kind), resourceId });
      }
    };
    run().catch((thrown: unknown) => (failure = String(thrown)));
  },

  watched() {
    return { seen, cursors, cuts, failure };
  },

  stopWatch() {
    stop.abort();
  },

  /** Uploads a picture by the unary call, and displays it. */
  async upload(server: Server) {
    const data = new Uint8Array(await (await picture("seagreen")).arrayBuffer());
    const { photo } = await createVintedbot(server).media.uploadPhoto({ data, fileName: "green.jpg" });
    return shown(photo);
  },

  /** Uploads a picture by HTTP PUT to a signed URL, and displays it. */
  async put(server: Server) {
    const body = await picture("tomato");
    const { media } = createVintedbot(server);
    const { url } = await media.createUploadUrl({ fileName: "red.jpg", sizeBytes: BigInt(body.size) });
    const response = await fetch(url, { method: "PUT", body });
    if (!response.ok) throw new Error(`PUT answered ${response.status}: ${await response.text()}`);
    return shown(fromJson(UploadPhotoResponseSchema, (await response.json()) as JsonValue).photo);
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
  const { reason, metadata, violations } = callError(thrown);
  return { reason: ErrorReason[reason], metadata, violations };
}

async function picture(colour: string): Promise<Blob> {
  const canvas = document.createElement("canvas");
  canvas.width = 640;
  canvas.height = 480;
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("no canvas");
  context.fillStyle = colour;
  context.fillRect(0, 0, 640, 480);
  context.fillStyle = "white";
  context.fillText(crypto.randomUUID(), 20, 40);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("no blob"))), "image/jpeg");
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
