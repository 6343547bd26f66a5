const tickMs = 2_000;
const jumpMs = 10_000;

/**
 * Calls back when the clock has jumped, because the computer slept. No browser event reports this for a page that
 * stayed visible.
 */
export function watchClock(onJump: () => void): () => void {
  let last = Date.now();
  const timer = setInterval(() => {
    const now = Date.now();
    if (now - last > jumpMs) onJump();
    last = now;
  }, tickMs);
  return () => clearInterval(timer);
}
