import type { ErrorReason } from "@vintedbot/sdk";

/** The names of all reasons of the contract. */
export type ReasonName = Exclude<keyof typeof ErrorReason, "UNSPECIFIED">;

/** What happened, and what to do next. A missing reason is a type error. */
export type Reasons = Readonly<Record<ReasonName, readonly [text: string, next: string]>>;
