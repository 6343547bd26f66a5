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

/** Where the server is and who calls. */
export interface VintedbotOptions {
  /** The server's address, like `http://127.0.0.1:8080`. */
  baseUrl: string;
  /** The API token, or a function that is asked for it before each call. */
  token: string | (() => string | Promise<string>);
  /** How long a unary call may take, in milliseconds. Absent: as long as it takes. `watch` takes no notice of it. */
  timeoutMs?: number;
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
 * Makes the clients. They speak gRPC-web over `fetch`, so they work in every browser and in Node; only
 * `media.uploadPhotos`, a stream towards the server, does not work over gRPC-web: use `media.uploadPhoto` or
 * `media.createUploadUrl`.
 */
export function createVintedbot(options: VintedbotOptions): Vintedbot {
  const transport = createGrpcWebTransport({
    baseUrl: options.baseUrl,
    interceptors: [bearer(options.token)],
    ...(options.timeoutMs === undefined ? {} : { defaultTimeoutMs: options.timeoutMs }),
  });
  return createVintedbotOn(transport);
}

/** Makes the clients on a transport of one's own, which then also has to bring the token. */
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

function bearer(token: VintedbotOptions["token"]): Interceptor {
  return (next) => async (request) => {
    request.header.set("authorization", `Bearer ${typeof token === "string" ? token : await token()}`);
    return next(request);
  };
}
