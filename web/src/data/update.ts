const key = "vintedbot.reloaded";
const pauseMs = 60_000;

/**
 * Reloads a page that lacks a file, because the server was updated while the page was open. Does nothing without a
 * connection, where a reload would lose the page, or within a minute, so that a file that stays missing does not reload
 * the page for ever.
 */
export async function reloadForUpdate(): Promise<void> {
  if (Date.now() - Number(sessionStorage.getItem(key) ?? 0) < pauseMs) return;
  const isReachable = await fetch("/health", { cache: "no-store" }).then(
    ({ ok }) => ok,
    () => false,
  );
  if (!isReachable) return;
  sessionStorage.setItem(key, String(Date.now()));
  location.reload();
}
