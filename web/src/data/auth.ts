import { useSyncExternalStore } from "react";

/** Whether a person is signed in. The cookies are invisible to scripts, so this is a hint until the server has answered. */
export interface AuthState {
  status: "checking" | "out" | "in";
  /** Whether the session ended without the person's doing. */
  hasEnded: boolean;
}

const key = "vintedbot.signed-in";
const listeners = new Set<() => void>();

let state: AuthState = { status: readHint() ? "in" : "checking", hasEnded: false };

function readHint(): boolean {
  try {
    return localStorage.getItem(key) === "yes";
  } catch {
    return false;
  }
}

export function setAuth(next: AuthState): void {
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
