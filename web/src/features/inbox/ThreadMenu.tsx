import { useState, type FormEvent, type ReactNode } from "react";

import { useRecord } from "../../data/hooks";
import { resources } from "../../data/store";
import { currentLocale, useTexts } from "../../i18n";
import { Button } from "../../ui/Button";
import Dialog from "../../ui/Dialog";
import { Field } from "../../ui/Field";
import Menu from "../../ui/Menu";
import { localInput, shortTime, zoneName } from "../../ui/dates";
import { changes, showResult } from "./inbox";
import { snoozeTimes } from "./snoozeTimes";
import { useCounts } from "./useOpen";

export interface ThreadMenuProps {
  kind: "snooze" | "label";
  id: string;
  anchor: Element | null;
  onClose: () => void;
  /** Called before a thread leaves the list. */
  onLeave: (id: string) => void;
}

/** The choices of the snooze and label commands. */
export default function ThreadMenu(props: ThreadMenuProps): ReactNode {
  return props.kind === "snooze" ? <Snooze {...props} /> : <Labels {...props} />;
}

function Snooze({ id, anchor, onClose, onLeave }: ThreadMenuProps): ReactNode {
  const t = useTexts();
  const [now] = useState(() => new Date());
  const [isCustom, setCustom] = useState(false);
  const [time, setTime] = useState(() => localInput(snoozeTimes(now).tomorrow));
  const snooze = (until: Date): void => {
    onClose();
    onLeave(id);
    showResult(resources.threadCommands.execute(changes.snooze(id, until)), t.inbox.done.snooze);
  };
  if (isCustom) {
    const submit = (event: FormEvent): void => {
      event.preventDefault();
      const until = new Date(time);
      if (until.getTime() > Date.now()) snooze(until);
    };
    return (
      <Dialog title={t.inbox.commands.snooze} closeLabel={t.app.close} onClose={onClose}>
        <form className="flex flex-col gap-3" onSubmit={submit}>
          <Field
            label={t.inbox.snoozedUntil}
            hint={zoneName()}
            type="datetime-local"
            required
            min={localInput(now)}
            value={time}
            onChange={(event) => setTime(event.target.value)}
          />
          <Button kind="primary" type="submit" className="self-start">
            {t.inbox.commands.snooze}
          </Button>
        </form>
      </Dialog>
    );
  }
  const times = snoozeTimes(now);
  const choice = (name: "hour" | "evening" | "tomorrow" | "week") => {
    const until = times[name];
    if (until === undefined) return [];
    const detail = shortTime(until, currentLocale(), now);
    return [{ id: name, name: t.inbox.snooze[name], detail, onSelect: () => snooze(until) }];
  };
  const items = [
    ...choice("hour"),
    ...choice("evening"),
    ...choice("tomorrow"),
    ...choice("week"),
    { id: "custom", name: t.inbox.snooze.custom, keepsOpen: true, onSelect: () => setCustom(true) },
  ];
  return <Menu anchor={anchor} label={t.inbox.commands.snooze} items={items} onClose={onClose} />;
}

function Labels({ id, onClose }: ThreadMenuProps): ReactNode {
  const t = useTexts();
  const thread = useRecord(resources.threads, id);
  const counts = useCounts();
  const [name, setName] = useState("");
  const used = thread?.labels ?? [];
  const all = [...new Set([...(counts?.labels.map(({ label }) => label) ?? []), ...used])].sort();
  const change = (add: string[], remove: string[]): void =>
    showResult(resources.threadCommands.execute(changes.label(id, add, remove)), t.inbox.done.label);
  const add = (event: FormEvent): void => {
    event.preventDefault();
    const label = name.trim();
    if (label === "") return;
    setName("");
    if (!used.includes(label)) change([label], []);
  };
  return (
    <Dialog title={t.inbox.labels} closeLabel={t.app.close} onClose={onClose}>
      <ul>
        {all.map((label) => (
          <li key={label}>
            <label className="flex min-h-11 items-center gap-2 md:min-h-9">
              <input
                type="checkbox"
                className="size-5 accent-accent"
                checked={used.includes(label)}
                onChange={(event) => (event.target.checked ? change([label], []) : change([], [label]))}
              />
              {label}
            </label>
          </li>
        ))}
      </ul>
      <form className="flex flex-col gap-3" onSubmit={add}>
        <Field
          label={t.inbox.labelName}
          hint={t.inbox.labelHint}
          maxLength={50}
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
        <Button type="submit" className="self-start">
          {t.inbox.addLabel}
        </Button>
      </form>
    </Dialog>
  );
}
