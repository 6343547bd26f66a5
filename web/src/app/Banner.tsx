import { WifiOff } from "lucide-react";
import type { ReactNode } from "react";

import { useLine } from "../data/hooks";
import { currentLocale, useTexts } from "../i18n";
import { exactTime } from "../ui/dates";

/** Shows that the line is lost, the age of the data, and which actions are off. */
export function Banner(): ReactNode {
  const t = useTexts().live;
  const { isShown, isActingOff, hasEnded, currentAt } = useLine();
  const lost = currentAt === undefined ? t.lostAtStart : t.lost(exactTime(currentAt, currentLocale()));
  return (
    <div role="status">
      {isShown && (
        <p
          data-testid="line"
          className="flex items-center gap-2 border-b border-line bg-warn-soft px-3 py-2 text-sm"
        >
          <WifiOff aria-hidden size={16} className="shrink-0 text-warn" />
          <span>
            {hasEnded ? t.ended : lost} {isActingOff && !hasEnded && t.acting}
          </span>
        </p>
      )}
    </div>
  );
}
