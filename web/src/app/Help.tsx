import { useState, type ReactNode } from "react";

import { useTexts } from "../i18n";
import { allCommands } from "../ui/commands";
import Dialog from "../ui/Dialog";
import { letterKeysOn, setLetterKeys } from "../ui/hotkeys";

/** Shows the keys of this page. */
export default function Help({ onClose }: { onClose: () => void }): ReactNode {
  const t = useTexts().app;
  const [commands] = useState(() => allCommands().filter(({ key }) => key !== undefined));
  const [isOn, setOn] = useState(letterKeysOn);
  return (
    <Dialog title={t.help} closeLabel={t.close} onClose={onClose}>
      <label className="flex min-h-11 items-center gap-2 text-sm">
        <input
          type="checkbox"
          className="size-5 accent-accent"
          checked={isOn}
          onChange={(event) => {
            setOn(event.target.checked);
            setLetterKeys(event.target.checked);
          }}
        />
        {t.keysOn}
      </label>
      <p className="text-sm text-soft">{t.keysHint}</p>
      <dl className="grid grid-cols-[1fr_auto] gap-x-4 gap-y-2 text-sm">
        {commands.map(({ id, name, key }) => (
          <div key={id} className="contents">
            <dt>{name}</dt>
            <dd>
              <kbd className="rounded border border-line bg-raised px-1.5 py-0.5">{key}</kbd>
            </dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
