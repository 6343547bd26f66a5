import { useLayoutEffect, useId } from "react";

/** An action with its key. Buttons, the palette, the hotkeys and the help sheet all read the same list. */
export interface Command {
  id: string;
  name: string;
  /** A key such as "e", "?" or "Ctrl+K", or a sequence such as "g i". */
  key?: string;
  /** Whether the action is possible now. Absent: always. */
  when?: () => boolean;
  run: () => void;
}

const sources = new Map<string, readonly Command[]>();

/** Offers commands as long as the component is shown. Later components come first. */
export function useCommands(commands: readonly Command[]): void {
  const source = useId();
  useLayoutEffect(() => {
    sources.set(source, commands);
  });
  useLayoutEffect(
    () => () => {
      sources.delete(source);
    },
    [source],
  );
}

/** Returns all commands of the page. Of several with the same id, the last one counts. */
export function allCommands(): readonly Command[] {
  const byId = new Map<string, Command>();
  for (const commands of sources.values()) for (const command of commands) byId.set(command.id, command);
  return [...byId.values()];
}

export function possibleCommands(): readonly Command[] {
  return allCommands().filter(({ when }) => when?.() ?? true);
}
