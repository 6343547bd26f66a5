import type { MessageInitShape } from "@bufbuild/protobuf";

import type { Money } from "./gen/vintedbot/v1/money_pb.js";
import type { NameOrIdSchema } from "./gen/vintedbot/v1/names_pb.js";

type NameOrId = MessageInitShape<typeof NameOrIdSchema>;

/** Identifies a catalogue entry by its name in the account's language: `category: name("Homme > Sweats")`. */
export function name(text: string): NameOrId {
  return { value: { case: "name", value: text } };
}

/** Identifies a catalogue entry by the marketplace's id. */
export function id(number: bigint | number): NameOrId {
  return { value: { case: "id", value: BigInt(number) } };
}

/**
 * Returns an amount for a request: `price: money(12.5, "EUR")`. Rounds to the currency's smallest unit, halves away
 * from zero.
 *
 * @throws RangeError if `amount` is not a number or too large to be exact, or if `currencyCode` is not like "EUR".
 */
export function money(amount: number, currencyCode: string): { minorUnits: bigint; currencyCode: string } {
  const scaled = Math.abs(amount) * 10 ** decimals(currencyCode);
  if (!(scaled < 1e15)) throw new RangeError(`${amount} is not an amount of money`);
  // 1.005 * 100 is 100.49999999999999: the decimal text of a number rounds as people expect.
  const rounded = BigInt(Math.round(Number(scaled.toPrecision(15))));
  return { minorUnits: amount < 0 ? -rounded : rounded, currencyCode };
}

/** Formats an amount of a response for people. Absent amounts become an empty text. */
export function formatMoney(
  amount: Pick<Money, "minorUnits" | "currencyCode"> | undefined,
  locale?: string,
): string {
  if (amount === undefined) return "";
  const { minorUnits, currencyCode } = amount;
  const format = new Intl.NumberFormat(locale, { style: "currency", currency: currencyCode });
  return format.format(Number(minorUnits) / 10 ** decimals(currencyCode));
}

function decimals(currencyCode: string): number {
  const format = new Intl.NumberFormat("en", { style: "currency", currency: currencyCode });
  return format.resolvedOptions().maximumFractionDigits ?? 2;
}

/**
 * Returns the JSON text of any value that contains messages. 64-bit integers become texts and bytes become base64, as
 * in the JSON of protobuf. For the exact JSON form of one message, use `toJson` with its schema.
 */
export function stringify(value: unknown, space?: number): string {
  return JSON.stringify(
    value,
    (_, entry: unknown) => {
      if (typeof entry === "bigint") return entry.toString();
      if (entry instanceof Uint8Array)
        return btoa(Array.from(entry, (byte) => String.fromCharCode(byte)).join(""));
      return entry;
    },
    space,
  );
}
