import type { DescService } from "@bufbuild/protobuf";
import { createClient, type Client, type Interceptor, type Transport } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";

import { checkedBaseUrl, guardedFetch } from "./connection.js";
import { AccountService } from "./gen/vintedbot/v1/account_pb.js";
import { AuthService } from "./gen/vintedbot/v1/auth_pb.js";
import { CatalogService } from "./gen/vintedbot/v1/catalog_pb.js";
import { EventService, type WatchResponse } from "./gen/vintedbot/v1/event_pb.js";
import { InboxService } from "./gen/vintedbot/v1/inbox_pb.js";
import { ListingService } from "./gen/vintedbot/v1/listing_pb.js";
import { MarketplaceSearchService } from "./gen/vintedbot/v1/marketplace_search_pb.js";
import { MediaService, type UploadPhotoResponse } from "./gen/vintedbot/v1/media_pb.js";
import { PublishService } from "./gen/vintedbot/v1/publish_pb.js";
import { TemplateService } from "./gen/vintedbot/v1/template_pb.js";
import { WardrobeService } from "./gen/vintedbot/v1/wardrobe_pb.js";
import { WebhookService } from "./gen/vintedbot/v1/webhook_pb.js";
import { identified, retrying } from "./retry.js";
import { AuthSession, type AuthSessionOptions } from "./session.js";
import { watchShared } from "./shared-watch.js";
import { uploadPhoto, type UploadOptions } from "./upload.js";
import type { WatchOptions } from "./watch.js";

/** An API token, or a function that returns it and is called before each attempt of a call. */
export interface ApiTokenOptions {
  token: string | (() => string | Promise<string>);
}

/** The settings of a connection without its credential. */
export interface ServerOptions {
  /** The server's address, such as `http://127.0.0.1:8080`. */
  baseUrl: string;
  /**
   * The timeout of a unary call with its retries, in milliseconds. Absent: none. It does not apply to watches and to
   * the bytes of an upload.
   */
  timeoutMs?: number;
  /** Whether to create idempotency keys, and to repeat calls for which that is safe. Default: true. */
  retry?: boolean;
  /** Replaces the global `fetch`, for example in tests. Uploads by `uploadPhoto` do not use it. */
  fetch?: typeof globalThis.fetch;
  /** Called around each attempt of a call, after the credential has been added. */
  interceptors?: Interceptor[];
}

/** The settings of a connection. `auth` is an API token, or the session of a person who signs in. */
export interface ConnectionOptions<A extends ApiTokenOptions | AuthSessionOptions> extends ServerOptions {
  auth: A;
}

/** A connection to a server. */
export interface Connection {
  /** The transport of all clients, for `createClient` and TanStack Query. It adds the credential. */
  transport: Transport;
  /** Creates the client of one service. A bundler leaves out the services that a page does not use. */
  client<S extends DescService>(service: S): Client<S>;
  /** Watches the event log with one stream for all tabs of this session; see `watchShared`. */
  watch(options?: WatchOptions): AsyncGenerator<WatchResponse, void, undefined>;
}

/** A connection in the session of a person. */
export interface SessionConnection extends Connection {
  session: AuthSession;
}

/** The clients of all services. */
export interface Services {
  auth: Client<typeof AuthService>;
  accounts: Client<typeof AccountService>;
  catalog: Client<typeof CatalogService>;
  media: Client<typeof MediaService>;
  listings: Client<typeof ListingService>;
  publish: Client<typeof PublishService>;
  wardrobe: Client<typeof WardrobeService>;
  inbox: Client<typeof InboxService>;
  templates: Client<typeof TemplateService>;
  events: Client<typeof EventService>;
  webhooks: Client<typeof WebhookService>;
  search: Client<typeof MarketplaceSearchService>;
}

/** A connection with the clients of all services. */
export interface Vintedbot extends Connection, Services {
  /** Stores a photo and reports the progress; see the function `uploadPhoto`. */
  uploadPhoto(file: Blob, options?: UploadOptions): Promise<UploadPhotoResponse>;
}

/** A connection in the session of a person, with the clients of all services. */
export interface SessionVintedbot extends Vintedbot {
  session: AuthSession;
}

/**
 * Connects to a server over gRPC-web, which works in every browser and in Node. Use this instead of `createVintedbot`
 * for a small page: it loads only the services that the page names in `client`.
 *
 * @throws TypeError if `baseUrl` is not an absolute HTTP URL.
 */
export function createConnection(options: ConnectionOptions<ApiTokenOptions>): Connection;
export function createConnection(options: ConnectionOptions<AuthSessionOptions>): SessionConnection;
export function createConnection(
  options: ConnectionOptions<ApiTokenOptions | AuthSessionOptions>,
): Connection | SessionConnection {
  const baseUrl = checkedBaseUrl(options.baseUrl);
  const { auth } = options;
  if ("token" in auth) {
    const token = async (): Promise<string> =>
      typeof auth.token === "string" ? auth.token : await auth.token();
    return connection(transportOf(options, baseUrl, [bearer(token)]), async () =>
      digest(baseUrl + (await token())),
    );
  }
  const session = new AuthSession(transportOf(options, baseUrl, []), auth);
  const sharedId = async (): Promise<string> => `${baseUrl} ${session.sharedId ?? ""}`;
  return { ...connection(transportOf(options, baseUrl, [session.interceptor]), sharedId), session };
}

/**
 * Connects to a server, with the clients of all services. The exception is `media.uploadPhotos`, a client stream, which
 * gRPC-web does not support: use `uploadPhoto`.
 *
 * @throws TypeError if `baseUrl` is not an absolute HTTP URL.
 */
export function createVintedbot(options: ConnectionOptions<ApiTokenOptions>): Vintedbot;
export function createVintedbot(options: ConnectionOptions<AuthSessionOptions>): SessionVintedbot;
export function createVintedbot(
  options: ConnectionOptions<ApiTokenOptions> | ConnectionOptions<AuthSessionOptions>,
): Vintedbot {
  const connected = createConnection(options as ConnectionOptions<AuthSessionOptions>);
  const services = createServices(connected.transport);
  return {
    ...connected,
    ...services,
    uploadPhoto: (file, upload) => uploadPhoto(services.media, file, upload),
  };
}

/**
 * Creates the clients of all services on the caller's transport, which must add the API token or the session; see
 * `AuthSession.interceptor`.
 */
export function createServices(transport: Transport): Services {
  return {
    auth: createClient(AuthService, transport),
    accounts: createClient(AccountService, transport),
    catalog: createClient(CatalogService, transport),
    media: createClient(MediaService, transport),
    listings: createClient(ListingService, transport),
    publish: createClient(PublishService, transport),
    wardrobe: createClient(WardrobeService, transport),
    inbox: createClient(InboxService, transport),
    templates: createClient(TemplateService, transport),
    events: createClient(EventService, transport),
    webhooks: createClient(WebhookService, transport),
    search: createClient(MarketplaceSearchService, transport),
  };
}

function connection(transport: Transport, sharedId: () => Promise<string>): Connection {
  const events = createClient(EventService, transport);
  return {
    transport,
    client: (service) => createClient(service, transport),
    async *watch(options = {}) {
      yield* watchShared(events, { ...options, sharedId: await sharedId() });
    },
  };
}

function transportOf(options: ServerOptions, baseUrl: string, credential: Interceptor[]): Transport {
  const { timeoutMs, fetch = globalThis.fetch.bind(globalThis), retry = true, interceptors = [] } = options;
  return createGrpcWebTransport({
    baseUrl,
    fetch: guardedFetch(baseUrl, fetch),
    interceptors: [identified, ...(retry ? [retrying] : []), ...credential, ...interceptors],
    ...(timeoutMs === undefined ? {} : { defaultTimeoutMs: timeoutMs }),
  });
}

function bearer(token: () => Promise<string>): Interceptor {
  return (next) => async (request) => {
    request.header.set("authorization", `Bearer ${await token()}`);
    return next(request);
  };
}

/** Returns a short text that differs for other texts and does not show them. It names channels between tabs. */
function digest(text: string): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text))
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash.toString(16);
}
