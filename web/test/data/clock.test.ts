import { expect, test, vi } from "vitest";

import { watchClock } from "../../src/data/clock";

test("jump of the clock is reported once", () => {
  vi.useFakeTimers();
  const jumps = vi.fn();
  const stop = watchClock(jumps);
  vi.advanceTimersByTime(60_000);
  expect(jumps).not.toHaveBeenCalled();
  // The computer sleeps: the clock continues and the timers do not.
  vi.setSystemTime(Date.now() + 7_200_000);
  vi.advanceTimersByTime(6_000);
  expect(jumps).toHaveBeenCalledTimes(1);
  stop();
  vi.setSystemTime(Date.now() + 7_200_000);
  vi.advanceTimersByTime(6_000);
  expect(jumps).toHaveBeenCalledTimes(1);
});
