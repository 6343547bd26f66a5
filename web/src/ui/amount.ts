/** An amount in the smallest unit of its currency. */
export interface Amount {
  minorUnits: bigint;
  currencyCode: string;
}

/** Returns an amount as people of a language write it: `12,50 €` in French, `€12.50` in English. */
export function formatAmount({ minorUnits, currencyCode }: Amount, locale: string): string {
  const format = new Intl.NumberFormat(locale, { style: "currency", currency: currencyCode });
  const decimals = format.resolvedOptions().maximumFractionDigits ?? 2;
  return format.format(Number(minorUnits) / 10 ** decimals);
}
