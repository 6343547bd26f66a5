import { Dialog as Base } from "@base-ui/react/dialog";
import { X } from "lucide-react";
import type { ReactNode } from "react";

import { buttonClasses } from "./Button";

export interface DialogProps {
  title: string;
  closeLabel: string;
  onClose: () => void;
  children: ReactNode;
  /** Shown below the title. */
  description?: string;
}

/** A dialog that is open as long as it is rendered. Loaded when it is first needed. */
export default function Dialog({
  title,
  closeLabel,
  onClose,
  description,
  children,
}: DialogProps): ReactNode {
  return (
    <Base.Root
      open
      onOpenChange={(isOpen) => {
        if (!isOpen) onClose();
      }}
    >
      <Base.Portal>
        <Base.Backdrop className="fixed inset-0 bg-[#0009]" />
        <Base.Popup
          data-modal
          className="fixed inset-x-2 top-[6vh] mx-auto flex max-h-[88vh] max-w-xl flex-col gap-3 overflow-auto rounded-lg border border-line bg-card p-4 shadow-xl"
        >
          <div className="flex items-start justify-between gap-3">
            <Base.Title className="pt-1 text-lg font-semibold">{title}</Base.Title>
            <Base.Close aria-label={closeLabel} title={closeLabel} className={buttonClasses("quiet", true)}>
              <X aria-hidden size={18} />
            </Base.Close>
          </div>
          {description !== undefined && (
            <Base.Description className="text-sm text-soft">{description}</Base.Description>
          )}
          {children}
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  );
}
