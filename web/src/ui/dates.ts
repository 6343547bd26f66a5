const dayMs = 86_400_000;

/** Returns the name of the time zone in which times are shown. */
export function zoneName(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** Returns the exact time with its zone: "30 November 2026 at 13:05 CET". */
export function exactTime(date: Date, locale: string): string {
  return new Intl.DateTimeFormat(locale, {
    year: "numeric",
    month: "long",
    day: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    timeZoneName: "short",
  }).format(date);
}

/** Returns a short time: the hour today, the weekday within a week, else the date. */
export function shortTime(date: Date, locale: string, now: Date): string {
  const hour: Intl.DateTimeFormatOptions = { hour: "2-digit", minute: "2-digit" };
  const days = Math.round((startOfDay(now) - startOfDay(date)) / dayMs);
  if (days === 0) return new Intl.DateTimeFormat(locale, hour).format(date);
  if (Math.abs(days) < 7) return new Intl.DateTimeFormat(locale, { weekday: "short", ...hour }).format(date);
  const year: Intl.DateTimeFormatOptions =
    date.getFullYear() === now.getFullYear() ? {} : { year: "numeric" };
  return new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", ...year }).format(date);
}

function startOfDay(date: Date): number {
  return Date.UTC(date.getFullYear(), date.getMonth(), date.getDate());
}

/** Returns the text of an `<input type="datetime-local">`. */
export function localInput(date: Date): string {
  const pad = (part: number): string => String(part).padStart(2, "0");
  const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
  return `${day}T${pad(date.getHours())}:${pad(date.getMinutes())}`;
}
