import { possibleCommands, type Command } from "./commands";

const key = "vintedbot.single-letter-keys";
const sequenceMs = 1_200;

/** Returns whether keys without Ctrl are active. */
export function letterKeysOn(): boolean {
  try {
    return localStorage.getItem(key) !== "off";
  } catch {
    return true;
  }
}

export function setLetterKeys(isOn: boolean): void {
  try {
    if (isOn) localStorage.removeItem(key);
    else localStorage.setItem(key, "off");
  } catch {
    // Without storage the keys stay on.
  }
}

/** A key press, as far as hotkeys depend on it. */
export interface Press {
  key: string;
  ctrl: boolean;
  alt: boolean;
  /** Whether a person types text. */
  isTyping: boolean;
  /** Whether a dialog or a menu is open. */
  isModal: boolean;
}

/** Finds the command of a key press, also over two presses. */
export class KeyMatcher {
  #first = "";
  #until = 0;

  match(press: Press, commands: readonly Command[], lettersOn: boolean, now: number): Command | undefined {
    const name = press.ctrl ? `Ctrl+${press.key.toUpperCase()}` : press.key;
    const first = now < this.#until ? this.#first : "";
    this.#first = "";
    if (press.isModal || press.alt) return undefined;
    // In a text field, Ctrl+Z takes back what was typed.
    if (press.isTyping && name !== "Ctrl+K") return undefined;
    if (!press.ctrl && !lettersOn) return undefined;
    const sequence =
      first === "" ? undefined : commands.find((command) => command.key === `${first} ${name}`);
    if (sequence !== undefined) return sequence;
    if (commands.some((command) => command.key?.startsWith(`${name} `))) {
      this.#first = name;
      this.#until = now + sequenceMs;
      return undefined;
    }
    return commands.find((command) => command.key === name);
  }
}

/** Listens to the keyboard until the returned function is called. */
export function listenToKeys(): () => void {
  const matcher = new KeyMatcher();
  const onKey = (event: KeyboardEvent): void => {
    if (event.defaultPrevented || event.isComposing || event.repeat) return;
    const target = event.target instanceof Element ? event.target : null;
    const command = matcher.match(
      {
        key: event.key,
        ctrl: event.ctrlKey || event.metaKey,
        alt: event.altKey,
        isTyping:
          target?.closest(
            "input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]",
          ) != null,
        isModal: document.querySelector("[data-modal]") !== null,
      },
      possibleCommands(),
      letterKeysOn(),
      Date.now(),
    );
    if (command === undefined) return;
    event.preventDefault();
    command.run();
  };
  window.addEventListener("keydown", onKey);
  return () => window.removeEventListener("keydown", onKey);
}
