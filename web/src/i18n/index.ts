import { useSyncExternalStore } from "react";

import type { Messages } from "./en";
import type { ReasonName, Reasons } from "./reasons";

export type { Messages, ReasonName, Reasons };

export const languages = { en: "English", fr: "Français", de: "Deutsch" } as const;
export type Language = keyof typeof languages;

const key = "vintedbot.language";

const loaders: Record<Language, () => Promise<{ messages: Messages }>> = {
  en: () => import("./en"),
  fr: () => import("./fr"),
  de: () => import("./de"),
};

const reasonLoaders: Record<Language, () => Promise<{ reasons: Reasons }>> = {
  en: () => import("./reasons.en"),
  fr: () => import("./reasons.fr"),
  de: () => import("./reasons.de"),
};

let language: Language = "en";
let current: Messages | undefined;
let reasons: Reasons | undefined;
const listeners = new Set<() => void>();

/** Returns the language that the person chose, or the first of the browser's that the console has. */
export function preferredLanguage(): Language {
  let stored: string | null = null;
  try {
    stored = localStorage.getItem(key);
  } catch {
    // The browser refuses storage. The choice then lasts as long as the page.
  }
  const wanted = [stored, ...navigator.languages].map((tag) => tag?.slice(0, 2));
  return wanted.find((tag): tag is Language => tag !== undefined && tag in languages) ?? "en";
}

/** Loads a language and shows it. */
export async function setLanguage(next: Language): Promise<void> {
  const { messages } = await loaders[next]();
  language = next;
  current = messages;
  reasons = undefined;
  document.documentElement.lang = next;
  for (const listener of listeners) listener();
}

/** Stores the choice for the next visit. */
export function storeLanguage(next: Language): void {
  try {
    localStorage.setItem(key, next);
  } catch {
    // See `preferredLanguage`.
  }
}

export function currentLanguage(): Language {
  return language;
}

/** Returns the locale of numbers and times: the browser's variant of the language, such as `en-GB`. */
export function currentLocale(): string {
  const variant = navigator.languages.find((tag) => tag.startsWith(`${language}-`));
  return variant ?? (language === "en" ? "en-GB" : language);
}

/** Returns the texts of the current language. */
export function texts(): Messages {
  if (current === undefined) throw new Error("no language is loaded");
  return current;
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Returns the texts of the current language, and renders again when it changes. */
export function useTexts(): Messages {
  return useSyncExternalStore(subscribe, texts);
}

/** Loads the texts of the error reasons. They are not part of the first page. */
export async function loadReasons(): Promise<Reasons> {
  const wanted = language;
  const loaded = (await reasonLoaders[wanted]()).reasons;
  if (wanted === language) {
    reasons = loaded;
    for (const listener of listeners) listener();
  }
  return loaded;
}

export function knownReasons(): Reasons | undefined {
  return reasons;
}

export function useReasons(): Reasons | undefined {
  return useSyncExternalStore(subscribe, knownReasons);
}
