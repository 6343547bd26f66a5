import { beforeEach, expect, test, vi } from "vitest";

let entries: Map<string, string>;
let page: EventTarget;
const reload = vi.fn();

beforeEach(() => {
  vi.resetModules();
  reload.mockClear();
  entries = new Map();
  page = new EventTarget();
  vi.stubGlobal("window", page);
  vi.stubGlobal("location", { reload });
  vi.stubGlobal("localStorage", {
    getItem: (key: string) => entries.get(key) ?? null,
    setItem: (key: string, value: string) => void entries.set(key, value),
    removeItem: (key: string) => void entries.delete(key),
  });
});

const load = (): Promise<typeof import("../../src/data/auth")> => import("../../src/data/auth");

/** Another tab changes an entry. */
function change(key: string, newValue: string | null): void {
  if (newValue === null) entries.delete(key);
  else entries.set(key, newValue);
  page.dispatchEvent(Object.assign(new Event("storage"), { key, newValue }));
}

test("sign-in in another tab reloads the page", async () => {
  const { setAuth } = await load();
  setAuth({ status: "in", hasEnded: false });
  change("vintedbot.sign-in", "another id");
  expect(reload).toHaveBeenCalledTimes(1);
});

test("page that reloads leaves the other tab's hint", async () => {
  const { setAuth } = await load();
  setAuth({ status: "in", hasEnded: false });
  change("vintedbot.sign-in", "another id");
  // The last save of this page is refused, because the cookies are those of another sign-in.
  setAuth({ status: "out", hasEnded: true });
  expect(entries.get("vintedbot.signed-in")).toBe("yes");
});

test("sign-out in another tab reloads the page", async () => {
  const { setAuth } = await load();
  setAuth({ status: "in", hasEnded: false });
  change("vintedbot.signed-in", null);
  expect(reload).toHaveBeenCalledTimes(1);
});

test("signed-out page does not reload for a sign-out or other entries", async () => {
  const { setAuth } = await load();
  setAuth({ status: "out", hasEnded: false });
  change("vintedbot.signed-in", null);
  change("vintedbot.draft.t1", "text");
  expect(reload).not.toHaveBeenCalled();
});
