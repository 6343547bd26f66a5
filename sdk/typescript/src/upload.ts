import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { Code, ConnectError, type Client } from "@connectrpc/connect";

import { connectionError, foreignAnswer } from "./connection.js";
import { callError, requestIdHeader } from "./errors.js";
import { ErrorInfoSchema } from "./gen/google/rpc/error_details_pb.js";
import {
  UploadPhotoResponseSchema,
  type MediaService,
  type UploadPhotoResponse,
} from "./gen/vintedbot/v1/media_pb.js";
import { backoffMs, sleep, uuid, withId } from "./retry.js";

/** The options of an upload. */
export interface UploadOptions {
  /** The name of the file. Default: that of a `File`. */
  fileName?: string;
  /** Called with the number of sent bytes and the size. Node reports only the end. */
  onProgress?: (sentBytes: number, totalBytes: number) => void;
  /** Ends the upload when aborted. It then fails with `Code.Canceled`. */
  signal?: AbortSignal;
}

const attemptsMax = 3;
const longestWaitMs = 5_000;

/**
 * Stores a photo and reports its progress. Repeats the upload after a lost connection, which is safe, because the same
 * content is stored once. The reasons of its errors are those of `UploadPhoto`, such as `PHOTO_NOT_AN_IMAGE`, and of an
 * upload URL, such as `UPLOAD_URL_EXPIRED`.
 */
export async function uploadPhoto(
  media: Client<typeof MediaService>,
  file: Blob,
  { fileName = (file as Partial<File>).name ?? "", onProgress, signal }: UploadOptions = {},
): Promise<UploadPhotoResponse> {
  const options = signal === undefined ? {} : { signal };
  const { url } = await media.createUploadUrl({ fileName, sizeBytes: BigInt(file.size) }, options);
  const id = uuid();
  for (let attempt = 1; ; attempt++) {
    try {
      return await put({ url, id, file, onProgress, signal });
    } catch (thrown) {
      if (callError(thrown).code !== Code.Unavailable || attempt === attemptsMax || signal?.aborted)
        throw withId(thrown, id);
      await sleep(backoffMs(attempt, longestWaitMs), signal);
    }
  }
}

/** The sending of a file to a signed URL. */
interface Upload {
  url: string;
  /** The header `x-request-id`. */
  id: string;
  file: Blob;
  onProgress: UploadOptions["onProgress"];
  signal: AbortSignal | undefined;
}

async function put(upload: Upload): Promise<UploadPhotoResponse> {
  if (upload.signal?.aborted) throw canceled();
  const { status, contentType, text } = await (typeof XMLHttpRequest === "undefined"
    ? sendByFetch(upload)
    : sendByXhr(upload));
  try {
    const json = JSON.parse(text) as JsonValue;
    if (status !== 200) return refuse(status, json);
    const response = fromJson(UploadPhotoResponseSchema, json, { ignoreUnknownFields: true });
    if (response.photo !== undefined) return response;
  } catch (thrown) {
    if (thrown instanceof ConnectError) throw thrown;
  }
  throw foreignAnswer(new URL(upload.url).origin, status, contentType);
}

/** The JSON of an error of the server's HTTP API. */
interface HttpError {
  code: string;
  message?: string;
  reason?: string;
  metadata?: Record<string, string>;
}

/** Throws the error of the server's HTTP API, unless the JSON is not one. */
function refuse(status: number, json: JsonValue): never {
  const { code, message = "", reason = "", metadata = {} } = json as unknown as HttpError;
  const name = code.toLowerCase().replaceAll("_", "");
  const known = Object.entries(Code).find(([key]) => key.toLowerCase() === name)?.[1];
  const fallback = status >= 500 ? Code.Unavailable : Code.Unknown;
  throw new ConnectError(message, typeof known === "number" ? known : fallback, undefined, [
    { desc: ErrorInfoSchema, value: { reason, domain: "vintedbot", metadata } },
  ]);
}

function canceled(): ConnectError {
  return new ConnectError("the upload was aborted", Code.Canceled);
}

function lost(url: string, cause?: unknown): ConnectError {
  const text = `the upload to ${new URL(url).origin} was interrupted: check the network, and that the page's origin is in ALLOWED_ORIGINS`;
  return connectionError("unreachable", text, { cause });
}

interface Answer {
  status: number;
  contentType: string;
  text: string;
}

/** `fetch` does not report the progress of an upload. */
function sendByXhr({ url, id, file, onProgress, signal }: Upload): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const abort = (): void => request.abort();
    signal?.addEventListener("abort", abort);
    request.addEventListener("loadend", () => signal?.removeEventListener("abort", abort));
    request.addEventListener("load", () => {
      const contentType = request.getResponseHeader("content-type") ?? "";
      resolve({ status: request.status, contentType, text: request.responseText });
    });
    request.addEventListener("error", () => reject(lost(url)));
    request.addEventListener("abort", () => reject(canceled()));
    if (onProgress !== undefined) {
      request.upload.addEventListener("progress", ({ loaded }) => onProgress(loaded, file.size));
    }
    request.open("PUT", url);
    request.setRequestHeader(requestIdHeader, id);
    request.send(file);
  });
}

async function sendByFetch({ url, id, file, onProgress, signal }: Upload): Promise<Answer> {
  try {
    const headers = { [requestIdHeader]: id };
    const response = await fetch(url, { method: "PUT", headers, body: file, signal: signal ?? null });
    const contentType = response.headers.get("content-type") ?? "";
    const answer = { status: response.status, contentType, text: await response.text() };
    onProgress?.(file.size, file.size);
    return answer;
  } catch (thrown) {
    throw signal?.aborted ? canceled() : lost(url, thrown);
  }
}
