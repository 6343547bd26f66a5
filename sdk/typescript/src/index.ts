/**
 * TypeScript SDK for vintedbot. `createVintedbot` connects to a server with one typed client for each service, and
 * `createConnection` with only those that a page names. `session` signs a person in and out, `watch` follows the event
 * log across lost connections, `uploadPhoto` reports progress, and `callError` decodes an error.
 */
export { create, fromJson, toJson } from "@bufbuild/protobuf";
export { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
export { Code, ConnectError } from "@connectrpc/connect";
export {
  createConnection,
  createServices,
  createVintedbot,
  type ApiTokenOptions,
  type Connection,
  type ConnectionOptions,
  type ServerOptions,
  type Services,
  type SessionConnection,
  type SessionVintedbot,
  type Vintedbot,
} from "./client.js";
export type { ConnectionProblem } from "./connection.js";
export { callError, fieldErrors, isReason, type CallError, type FieldViolation } from "./errors.js";
export { paginate } from "./paginate.js";
export { uuid } from "./retry.js";
export { AuthSession, type AuthSessionOptions, type SignInOptions } from "./session.js";
export { isSettled, settled, type SettledOptions } from "./settled.js";
export { watchShared, type SharedWatchOptions } from "./shared-watch.js";
export { localTokens, type TokenPair, type TokenStore } from "./tokens.js";
export { uploadPhoto, type UploadOptions } from "./upload.js";
export { formatMoney, id, money, name, stringify } from "./values.js";
export { watch, type WatchOptions, type WatchState } from "./watch.js";

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
