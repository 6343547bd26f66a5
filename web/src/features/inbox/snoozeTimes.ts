/** The times that the snooze menu offers. */
export interface SnoozeTimes {
  hour: Date;
  /** Absent in the evening. */
  evening: Date | undefined;
  tomorrow: Date;
  week: Date;
}

const eveningHour = 18;
const morningHour = 9;

/** Returns times in the reader's zone. A day is a calendar day, also when the clock changes. */
export function snoozeTimes(now: Date): SnoozeTimes {
  const at = (days: number, hour: number): Date =>
    new Date(now.getFullYear(), now.getMonth(), now.getDate() + days, hour);
  const evening = at(0, eveningHour);
  const untilMonday = (8 - now.getDay()) % 7 || 7;
  return {
    hour: new Date(now.getTime() + 3_600_000),
    evening: evening.getTime() - now.getTime() > 1_800_000 ? evening : undefined,
    tomorrow: at(1, morningHour),
    week: at(untilMonday, morningHour),
  };
}
