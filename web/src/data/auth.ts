import { useSyncExternalStore } from "react";

/** Whether a person is signed in. The cookies are invisible to scripts, so this is a hint until the server has answered. */
export interface AuthState {
  status: "checking" | "out" | "in";
  /** Whether the session ended without the person's doing. */
  hasEnded: boolean;
}

const key = "vintedbot.signed-in";
/** The entry in which the SDK stores a new id at each sign-in. */
const signInKey = "vintedbot.sign-in";
const listeners = new Set<() => void>();

/** Whether the page reloads because another tab has signed in or out. */
let isReplaced = false;
let state: AuthState = { status: readHint() ? "in" : "checking", hasEnded: false };

function readHint(): boolean {
  try {
    return localStorage.getItem(key) === "yes";
  } catch {
    return false;
  }
}

export function setAuth(next: AuthState): void {
  // The last calls of this page must not end the hint of the other tab's person.
  if (isReplaced) return;
  state = next;
  try {
    if (next.status === "in") localStorage.setItem(key, "yes");
    else localStorage.removeItem(key);
  } catch {
    // The hint only saves a moment at the next visit.
  }
  for (const listener of listeners) listener();
}

export function authState(): AuthState {
  return state;
}

export function useAuth(): AuthState {
  return useSyncExternalStore(subscribe, authState);
}

/** Calls back after each change of the state. */
export function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

// Another tab has signed in or out. This page must not continue with the data of the person before. Drafts are stored
// as they are typed, so a reload loses none.
window.addEventListener("storage", (event) => {
  const isOtherSignIn = event.key === signInKey;
  const isOtherState = event.key === key && (event.newValue === "yes") !== (state.status === "in");
  if (isReplaced || !(isOtherSignIn || isOtherState)) return;
  isReplaced = true;
  location.reload();
});
