import assert from "node:assert/strict";
import { test } from "node:test";

import {
  CreateListingRequestSchema,
  create,
  formatMoney,
  id,
  money,
  name,
  stringify,
  UploadPhotoRequestSchema,
} from "../src/index.js";

test("amount is in the smallest unit of its currency", () => {
  const amounts: [number, string, bigint][] = [
    [12.5, "EUR", 1250n],
    [0, "EUR", 0n],
    [0.1 + 0.2, "EUR", 30n],
    [1.005, "EUR", 101n],
    [1.004, "EUR", 100n],
    [8.165, "GBP", 817n],
    [4.35, "GBP", 435n],
    [1.15, "EUR", 115n],
    [-1.005, "EUR", -101n],
    [-12.5, "EUR", -1250n],
    [-0.001, "EUR", 0n],
    [1500, "JPY", 1500n],
    [1500.5, "JPY", 1501n],
    [1.2345, "KWD", 1235n],
    [99_999_999_999.99, "EUR", 9_999_999_999_999n],
  ];
  for (const [amount, currencyCode, minorUnits] of amounts) {
    assert.deepEqual(money(amount, currencyCode), { minorUnits, currencyCode }, `${amount} ${currencyCode}`);
  }
});

test("every amount of cents is exact", () => {
  for (let cents = 0; cents <= 100_000; cents += 7) {
    assert.equal(money(cents / 100, "EUR").minorUnits, BigInt(cents));
    assert.equal(money(Number((cents / 100).toFixed(2)), "EUR").minorUnits, BigInt(cents));
  }
});

test("what is no amount is refused", () => {
  for (const amount of [NaN, Infinity, -Infinity, 1e30, Number("12,50")]) {
    assert.throws(() => money(amount, "EUR"), RangeError, String(amount));
  }
  for (const code of ["", "EURO", "€"]) assert.throws(() => money(1, code), RangeError, code);
});

test("amount is formatted in its currency", () => {
  const spaces = (text: string): string => text.replace(/\s/g, " ");
  assert.equal(spaces(formatMoney({ minorUnits: 1250n, currencyCode: "EUR" }, "fr")), "12,50 €");
  assert.equal(formatMoney({ minorUnits: -1250n, currencyCode: "EUR" }, "en"), "-€12.50");
  assert.equal(formatMoney({ minorUnits: 1500n, currencyCode: "JPY" }, "en"), "¥1,500");
  assert.equal(formatMoney(money(19.99, "GBP"), "en"), "£19.99");
  assert.equal(formatMoney(undefined, "en"), "");
});

test("money and names fit into a request", () => {
  const { listing } = create(CreateListingRequestSchema, {
    listing: { price: money(12.5, "EUR"), category: name("Homme > Sweats"), brand: id(53) },
  });
  assert.equal(listing?.price?.minorUnits, 1250n);
  assert.deepEqual(listing.category?.value, { case: "name", value: "Homme > Sweats" });
  assert.deepEqual(listing.brand?.value, { case: "id", value: 53n });
});

test("big integers become texts and bytes base64", () => {
  const message = create(UploadPhotoRequestSchema, {
    data: new Uint8Array([0, 127, 128, 255]),
    fileName: "é.jpg",
  });
  assert.deepEqual(JSON.parse(stringify({ message, sequence: 2n ** 63n, list: [1n, undefined] })), {
    message: { ...message, data: "AH+A/w==" },
    sequence: "9223372036854775808",
    list: ["1", null],
  });
  assert.equal(stringify({ a: 1n }, 2), '{\n  "a": "1"\n}');
});

test("many bytes become base64", () => {
  const data = new Uint8Array(300_000).map((_, at) => at);
  assert.equal(JSON.parse(stringify(data)), Buffer.from(data).toString("base64"));
});
