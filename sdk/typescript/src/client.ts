import { createClient, type Client, type Interceptor, type Transport } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";

import { AccountService } from "./gen/vintedbot/v1/account_pb.js";
import { AuthService } from "./gen/vintedbot/v1/auth_pb.js";
import { CatalogService } from "./gen/vintedbot/v1/catalog_pb.js";
import { EventService } from "./gen/vintedbot/v1/event_pb.js";
import { InboxService } from "./gen/vintedbot/v1/inbox_pb.js";
import { ListingService } from "./gen/vintedbot/v1/listing_pb.js";
import { MarketplaceSearchService } from "./gen/vintedbot/v1/marketplace_search_pb.js";
import { MediaService } from "./gen/vintedbot/v1/media_pb.js";
import { PublishService } from "./gen/vintedbot/v1/publish_pb.js";
import { TemplateService } from "./gen/vintedbot/v1/template_pb.js";
import { WardrobeService } from "./gen/vintedbot/v1/wardrobe_pb.js";
import { WebhookService } from "./gen/vintedbot/v1/webhook_pb.js";
import { AuthSession, type AuthSessionOptions } from "./session.js";

/** The settings of the connection. */
export interface ConnectionOptions {
  /** The server's address, such as `http://127.0.0.1:8080`. */
  baseUrl: string;
  /** The timeout of a unary call, in milliseconds. Absent: no timeout. It does not apply to `watch`. */
  timeoutMs?: number;
}

/** The address of the server, and the API token. */
export interface VintedbotOptions extends ConnectionOptions {
  /** The API token, or a function that returns it and is called before each call. */
  token: string | (() => string | Promise<string>);
}

/** The address of the server, and the session of a person. */
export interface SessionVintedbotOptions extends ConnectionOptions {
  /** The session. With `{}`, only public methods work until `session.signIn`. */
  session: AuthSessionOptions;
}

/** One client for each service of the contract. */
export interface Vintedbot {
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

/**
 * Creates the clients, with an API token or with the session of a person. They use gRPC-web over `fetch` and work in
 * every browser and in Node. The exception is `media.uploadPhotos`, a client stream, which gRPC-web does not support:
 * use `media.uploadPhoto` or `media.createUploadUrl`.
 */
export function createVintedbot(options: VintedbotOptions): Vintedbot;
export function createVintedbot(options: SessionVintedbotOptions): Vintedbot & { session: AuthSession };
export function createVintedbot(
  options: VintedbotOptions | SessionVintedbotOptions,
): Vintedbot | (Vintedbot & { session: AuthSession }) {
  if (!("session" in options)) return createVintedbotOn(connection(options, [bearer(options.token)]));
  const session = new AuthSession(connection(options, []), options.session);
  return { ...createVintedbotOn(connection(options, [session.interceptor])), session };
}

/**
 * Creates the clients on the caller's transport, which must add the API token or the session; see
 * `AuthSession.interceptor`.
 */
export function createVintedbotOn(transport: Transport): Vintedbot {
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

function connection({ baseUrl, timeoutMs }: ConnectionOptions, interceptors: Interceptor[]): Transport {
  return createGrpcWebTransport({
    baseUrl,
    interceptors,
    ...(timeoutMs === undefined ? {} : { defaultTimeoutMs: timeoutMs }),
  });
}

function bearer(token: VintedbotOptions["token"]): Interceptor {
  return (next) => async (request) => {
    request.header.set("authorization", `Bearer ${typeof token === "string" ? token : await token()}`);
    return next(request);
  };
}
