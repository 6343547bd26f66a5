import { Menu as Base } from "@base-ui/react/menu";
import type { ReactNode } from "react";

export interface MenuItem {
  id: string;
  name: string;
  /** Shown at the end of the row, such as a time or a key. */
  detail?: string;
  /** Whether the choice replaces the menu by something else, instead of closing it. */
  keepsOpen?: boolean;
  onSelect: () => void;
}

export interface MenuProps {
  /** The element at which the menu opens. */
  anchor: Element | null;
  label: string;
  items: readonly MenuItem[];
  onClose: () => void;
}

/** A menu that is open as long as it is rendered. Loaded when it is first needed. */
export default function Menu({ anchor, label, items, onClose }: MenuProps): ReactNode {
  return (
    <Base.Root
      open
      onOpenChange={(isOpen) => {
        if (!isOpen) onClose();
      }}
    >
      {/* Inside the page's main region, where screen readers expect it. */}
      <Base.Portal container={document.getElementById("content")}>
        <Base.Positioner anchor={anchor} sideOffset={4} align="start" className="z-20">
          <Base.Popup
            data-modal
            aria-label={label}
            finalFocus={() => (anchor instanceof HTMLElement ? anchor : true)}
            className="min-w-52 rounded-md border border-line bg-card py-1 shadow-lg outline-none"
          >
            {items.map(({ id, name, detail, keepsOpen = false, onSelect }) => (
              <Base.Item
                key={id}
                closeOnClick={!keepsOpen}
                onClick={onSelect}
                className="flex min-h-11 items-center justify-between gap-6 px-3 text-sm outline-none data-[highlighted]:bg-raised md:min-h-9"
              >
                <span>{name}</span>
                {detail !== undefined && <span className="text-soft">{detail}</span>}
              </Base.Item>
            ))}
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}
