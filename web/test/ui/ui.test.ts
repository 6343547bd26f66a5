import { expect, test } from "vitest";

import { snoozeTimes } from "../../src/features/inbox/snoozeTimes";
import { KeyMatcher, type Press } from "../../src/ui/hotkeys";
import { formatAmount } from "../../src/ui/amount";
import { exactTime, localInput, shortTime } from "../../src/ui/dates";

const press = (key: string, more: Partial<Press> = {}): Press => ({
  key,
  ctrl: false,
  alt: false,
  isTyping: false,
  isModal: false,
  ...more,
});
const commands = [
  { id: "archive", name: "Archive", key: "e", run: () => undefined },
  { id: "go", name: "Go", key: "g i", run: () => undefined },
  { id: "i", name: "I", key: "i", run: () => undefined },
  { id: "undo", name: "Undo", key: "Ctrl+Z", run: () => undefined },
  { id: "palette", name: "Palette", key: "Ctrl+K", run: () => undefined },
];

test("key finds its command", () => {
  expect(new KeyMatcher().match(press("e"), commands, true, 0)?.id).toBe("archive");
});

test("sequence of keys finds its command only in time", () => {
  const keys = new KeyMatcher();
  expect(keys.match(press("g"), commands, true, 0)).toBeUndefined();
  expect(keys.match(press("i"), commands, true, 500)?.id).toBe("go");
  keys.match(press("g"), commands, true, 1_000);
  expect(keys.match(press("i"), commands, true, 9_000)?.id).toBe("i");
});

test("letters are text while a person types", () => {
  const keys = new KeyMatcher();
  expect(keys.match(press("e", { isTyping: true }), commands, true, 0)).toBeUndefined();
  expect(keys.match(press("z", { isTyping: true, ctrl: true }), commands, true, 0)).toBeUndefined();
  expect(keys.match(press("k", { isTyping: true, ctrl: true }), commands, true, 0)?.id).toBe("palette");
});

test("letters can be switched off and Ctrl stays", () => {
  const keys = new KeyMatcher();
  expect(keys.match(press("e"), commands, false, 0)).toBeUndefined();
  expect(keys.match(press("z", { ctrl: true }), commands, false, 0)?.id).toBe("undo");
});

test("keys of the page are off below a dialog", () => {
  expect(new KeyMatcher().match(press("e", { isModal: true }), commands, true, 0)).toBeUndefined();
});

test("amounts are written as people of the language write them", () => {
  const amount = { minorUnits: 1250n, currencyCode: "EUR" };
  expect(formatAmount(amount, "fr").replace(/\s/g, " ")).toBe("12,50 €");
  expect(formatAmount(amount, "en")).toBe("€12.50");
  expect(formatAmount({ minorUnits: 1250n, currencyCode: "JPY" }, "en")).toBe("¥1,250");
});

test("exact time has its zone", () => {
  const zones: Record<string, RegExp> = {
    "Europe/Paris": /13:05.*(CET|GMT\+1)/,
    "Pacific/Kiritimati": /02:05.*GMT\+14/,
  };
  expect(exactTime(new Date(Date.UTC(2026, 10, 30, 12, 5)), "en-GB")).toMatch(
    zones[process.env["TZ"] ?? ""] ?? /:05/,
  );
});

test("short time is the hour today and the date later", () => {
  const now = new Date(2026, 10, 30, 12);
  expect(shortTime(new Date(2026, 10, 30, 9, 5), "fr", now)).toBe("09:05");
  expect(shortTime(new Date(2026, 10, 28, 9, 5), "en-GB", now)).toMatch(/^Sat/);
  expect(shortTime(new Date(2025, 1, 3), "en-GB", now)).toMatch(/3 Feb 2025/);
});

test("snooze times are calendar days in the reader's zone", () => {
  // The night in which the clock changes in Paris.
  const times = snoozeTimes(new Date(2026, 9, 24, 20, 0));
  expect(localInput(times.tomorrow)).toBe("2026-10-25T09:00");
  expect(localInput(times.week)).toBe("2026-10-26T09:00");
  expect(times.evening).toBeUndefined();
  expect(times.hour.getTime() - new Date(2026, 9, 24, 20, 0).getTime()).toBe(3_600_000);
});

test("next week of a Monday is the Monday after", () => {
  expect(localInput(snoozeTimes(new Date(2026, 10, 30, 8)).week)).toBe("2026-12-07T09:00");
});
