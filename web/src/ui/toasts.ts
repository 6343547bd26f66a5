/** A short message about what was done, with the way back. */
export interface ToastMessage {
  text: string;
  kind?: "done" | "problem";
  undo?: () => void;
}

export const undoMs = 8_000;
const problemMs = 15_000;

type Show = (message: ToastMessage, timeoutMs: number) => void;

let show: Show | undefined;
let waiting: ToastMessage[] = [];
let lastUndo: { undo: () => void; until: number } | undefined;

/** Shows a message. The last one with `undo` can also be taken back with Ctrl+Z. */
export function toast(message: ToastMessage): void {
  const timeoutMs = message.kind === "problem" ? problemMs : undoMs;
  let shown = message;
  if (message.undo !== undefined) {
    const entry = { undo: message.undo, until: Date.now() + undoMs };
    lastUndo = entry;
    const undo = (): void => {
      if (lastUndo === entry) lastUndo = undefined;
      message.undo?.();
    };
    shown = { ...message, undo };
  }
  if (show === undefined) waiting.push(shown);
  else show(shown, timeoutMs);
}

/** Takes the last action back. Returns whether there was one. */
export function undoLast(): boolean {
  if (lastUndo === undefined || Date.now() > lastUndo.until) return false;
  const { undo } = lastUndo;
  lastUndo = undefined;
  undo();
  return true;
}

/** Connects the region that shows messages. */
export function connectToaster(next: Show | undefined): void {
  show = next;
  if (next === undefined) return;
  const missed = waiting;
  waiting = [];
  for (const message of missed) next(message, message.kind === "problem" ? problemMs : undoMs);
}
