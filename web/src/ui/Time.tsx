import type { ReactNode } from "react";

import { currentLocale, useTexts } from "../i18n";
import { exactTime, shortTime } from "./dates";

/** A time in the reader's zone. The short form has the exact time with its zone as a tooltip. */
export function Time({
  date,
  exact = false,
  className,
}: {
  date: Date;
  exact?: boolean;
  className?: string;
}): ReactNode {
  useTexts();
  const locale = currentLocale();
  const full = exactTime(date, locale);
  return (
    <time dateTime={date.toISOString()} title={full} className={className}>
      {exact ? full : shortTime(date, locale, new Date())}
    </time>
  );
}
