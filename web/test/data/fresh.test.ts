import { beforeEach, expect, test, vi } from "vitest";

const { live, listeners } = vi.hoisted(() => {
  const listeners = {
    event: new Set<() => void>(),
    gap: new Set<() => void>(),
    state: new Set<() => void>(),
  };
  const add = (set: Set<() => void>) => (listener: () => void) => {
    set.add(listener);
    return () => set.delete(listener);
  };
  const live = {
    onEvent: add(listeners.event),
    onGap: add(listeners.gap),
    subscribe: add(listeners.state),
    state: () => ({ status: "live" }),
    opened: () => Promise.resolve(),
  };
  return { live, listeners };
});
vi.mock("../../src/data/store", () => ({ live }));
vi.mock("../../src/data/auth", () => ({ subscribe: () => undefined, authState: () => ({ status: "in" }) }));

beforeEach(() => {
  vi.useFakeTimers();
  for (const set of Object.values(listeners)) set.clear();
});

async function setUp() {
  const { Fresh } = await import("../../src/data/fresh");
  const read = vi.fn<() => Promise<number>>();
  return { read, fresh: new Fresh(read, () => true) };
}
const emit = async (set: Set<() => void>): Promise<void> => {
  for (const listener of set) listener();
  await vi.advanceTimersByTimeAsync(1_000);
};

test("value is read again after a gap in the log", async () => {
  const { read, fresh } = await setUp();
  read.mockResolvedValueOnce(1).mockResolvedValueOnce(2);
  fresh.subscribe(() => undefined);
  await vi.advanceTimersByTimeAsync(10);
  expect(fresh.value()).toBe(1);
  await emit(listeners.gap);
  expect(fresh.value()).toBe(2);
});

test("failed read is repeated at the next message and then ends", async () => {
  const { read, fresh } = await setUp();
  read.mockRejectedValueOnce(new Error("down")).mockResolvedValue(3);
  fresh.subscribe(() => undefined);
  await vi.advanceTimersByTimeAsync(10);
  expect(fresh.value()).toBeUndefined();
  await emit(listeners.state);
  expect(fresh.value()).toBe(3);
  await emit(listeners.state);
  expect(read).toHaveBeenCalledTimes(2);
});

test("value without a reader does not listen", async () => {
  const { read, fresh } = await setUp();
  read.mockResolvedValue(1);
  fresh.subscribe(() => undefined)();
  expect(Object.values(listeners).map(({ size }) => size)).toEqual([0, 0, 0]);
});
