/**
 * TypeScript SDK for vintedbot. `createVintedbot` creates one typed client for each service, `AuthSession` signs a
 * person in and out, `watch` follows the event log across lost connections, and `callError` decodes an error. A new
 * service is a generated file (`npm run generate`), a line here and a client in `client.ts`.
 */
export { Code, ConnectError } from "@connectrpc/connect";
export {
  createVintedbot,
  createVintedbotOn,
  type ConnectionOptions,
  type SessionVintedbotOptions,
  type Vintedbot,
  type VintedbotOptions,
} from "./client.js";
export { callError, type CallError, type FieldViolation } from "./errors.js";
export { AuthSession, type AuthSessionOptions, type SignInOptions, type TokenPair } from "./session.js";
export { watch, type WatchOptions } from "./watch.js";

export * from "./gen/vintedbot/v1/account_pb.js";
export * from "./gen/vintedbot/v1/auth_pb.js";
export * from "./gen/vintedbot/v1/authorization_pb.js";
export * from "./gen/vintedbot/v1/catalog_pb.js";
export * from "./gen/vintedbot/v1/confirmation_pb.js";
export * from "./gen/vintedbot/v1/error_reason_pb.js";
export * from "./gen/vintedbot/v1/event_pb.js";
export * from "./gen/vintedbot/v1/inbox_pb.js";
export * from "./gen/vintedbot/v1/listing_pb.js";
export * from "./gen/vintedbot/v1/marketplace_search_pb.js";
export * from "./gen/vintedbot/v1/media_pb.js";
export * from "./gen/vintedbot/v1/money_pb.js";
export * from "./gen/vintedbot/v1/names_pb.js";
export * from "./gen/vintedbot/v1/publish_pb.js";
export * from "./gen/vintedbot/v1/search_pb.js";
export * from "./gen/vintedbot/v1/template_pb.js";
export * from "./gen/vintedbot/v1/violation_pb.js";
export * from "./gen/vintedbot/v1/wardrobe_pb.js";
export * from "./gen/vintedbot/v1/webhook_pb.js";
