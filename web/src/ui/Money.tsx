import type { ReactNode } from "react";

import { currentLocale, useTexts } from "../i18n";
import { formatAmount, type Amount } from "./amount";

export function Money({ amount }: { amount: Amount }): ReactNode {
  useTexts();
  return <span className="whitespace-nowrap tabular-nums">{formatAmount(amount, currentLocale())}</span>;
}
