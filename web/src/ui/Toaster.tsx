import { Toast } from "@base-ui/react/toast";
import { X } from "lucide-react";
import { useEffect, type ReactNode } from "react";

import { buttonClasses } from "./Button";
import { classes } from "./classes";
import { connectToaster } from "./toasts";

const manager = Toast.createToastManager();

/** The region with the messages of `toast`. */
export default function Toaster({
  undoLabel,
  closeLabel,
}: {
  undoLabel: string;
  closeLabel: string;
}): ReactNode {
  useEffect(() => {
    connectToaster(({ text, kind = "done", undo }, timeout) => {
      const id = manager.add({
        description: text,
        type: kind,
        timeout,
        priority: kind === "problem" ? "high" : "low",
        ...(undo === undefined
          ? {}
          : {
              actionProps: {
                children: undoLabel,
                onClick: () => {
                  manager.close(id);
                  undo();
                },
              },
            }),
      });
    });
    return () => connectToaster(undefined);
  }, [undoLabel]);
  return (
    <Toast.Provider toastManager={manager} limit={3}>
      <Toast.Portal>
        <Toast.Viewport className="fixed inset-x-2 bottom-2 z-30 mx-auto flex max-w-md flex-col gap-2">
          <Entries closeLabel={closeLabel} />
        </Toast.Viewport>
      </Toast.Portal>
    </Toast.Provider>
  );
}

function Entries({ closeLabel }: { closeLabel: string }): ReactNode {
  const { toasts } = Toast.useToastManager();
  return toasts.map((entry) => (
    <Toast.Root
      key={entry.id}
      toast={entry}
      aria-label={typeof entry.description === "string" ? entry.description : undefined}
      swipeDirection={[]}
      className={classes(
        "flex items-center gap-2 rounded-md border bg-card py-1 pr-1 pl-3 text-sm shadow-lg data-[limited]:hidden",
        entry.type === "problem" ? "border-danger" : "border-line",
      )}
    >
      <Toast.Content className="flex min-w-0 flex-1 items-center gap-2">
        <Toast.Description className="min-w-0 flex-1" />
        {entry.actionProps !== undefined && <Toast.Action className={buttonClasses("quiet")} />}
        <Toast.Close aria-label={closeLabel} className={buttonClasses("quiet", true)}>
          <X aria-hidden size={16} />
        </Toast.Close>
      </Toast.Content>
    </Toast.Root>
  ));
}
