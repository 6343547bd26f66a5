import { useState, type ReactNode } from "react";

import { useTexts } from "../i18n";
import { possibleCommands } from "../ui/commands";
import Dialog from "../ui/Dialog";
import { inputClasses } from "../ui/Field";
import { classes } from "../ui/classes";

/** Finds a command by its name. */
export default function Palette({ onClose }: { onClose: () => void }): ReactNode {
  const t = useTexts().app;
  const [commands] = useState(possibleCommands);
  const [query, setQuery] = useState("");
  const [at, setAt] = useState(0);
  const words = query.toLocaleLowerCase().split(/\s+/);
  const found = commands.filter(({ name }) => words.every((word) => name.toLocaleLowerCase().includes(word)));
  const run = (index: number): void => {
    const command = found[index];
    onClose();
    // The focus returns to the page first.
    if (command !== undefined) setTimeout(command.run, 0);
  };
  return (
    <Dialog title={t.palette} closeLabel={t.close} onClose={onClose}>
      <input
        role="combobox"
        aria-expanded="true"
        aria-controls="palette"
        aria-activedescendant={found[at] === undefined ? undefined : `palette-${at}`}
        aria-label={t.paletteSearch}
        placeholder={t.paletteSearch}
        className={inputClasses}
        value={query}
        onChange={(event) => {
          setQuery(event.target.value);
          setAt(0);
        }}
        onKeyDown={(event) => {
          if (event.key === "ArrowDown") setAt(Math.min(at + 1, found.length - 1));
          else if (event.key === "ArrowUp") setAt(Math.max(at - 1, 0));
          else if (event.key === "Enter") run(at);
          else return;
          event.preventDefault();
        }}
      />
      {found.length === 0 && <p className="text-sm text-soft">{t.paletteEmpty}</p>}
      <ul role="listbox" id="palette" aria-label={t.palette}>
        {found.map(({ id, name, key }, index) => (
          <li
            key={id}
            id={`palette-${index}`}
            role="option"
            aria-selected={index === at}
            onClick={() => run(index)}
            className={classes(
              "flex min-h-11 cursor-pointer items-center justify-between rounded-md px-2 text-sm md:min-h-9",
              index === at && "bg-raised",
            )}
          >
            <span>{name}</span>
            {key !== undefined && <kbd className="text-soft">{key}</kbd>}
          </li>
        ))}
      </ul>
    </Dialog>
  );
}
