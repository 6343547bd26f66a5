import { Camera, Inbox, ListChecks, Store, Users, type LucideIcon } from "lucide-react";

import type { Messages } from "../i18n";

export interface PageEntry {
  id: keyof Messages["app"]["pages"];
  path: string;
  icon: LucideIcon;
  /** Whether the page exists. The others follow. */
  isReady: boolean;
}

/** The pages of the main navigation, in their order. */
export const pages: readonly PageEntry[] = [
  { id: "inbox", path: "/inbox", icon: Inbox, isReady: true },
  { id: "photos", path: "/photos", icon: Camera, isReady: false },
  { id: "listings", path: "/listings", icon: Store, isReady: false },
  { id: "queue", path: "/queue", icon: ListChecks, isReady: false },
  { id: "accounts", path: "/accounts", icon: Users, isReady: false },
];
