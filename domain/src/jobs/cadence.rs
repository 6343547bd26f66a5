//! The cadence of a schedule: at an interval, or daily at a time.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;

use super::Schedule;
use crate::clock::Millis;
use crate::{Error, Result};

/// The format of a time of day.
const FORMAT: &str = "%H:%M";
const DAY: Millis = 24 * 3_600_000;

/// When a schedule runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cadence {
    /// At an interval in milliseconds.
    Every(Millis),
    /// Once a day, at a local time in the time zone of the schedules.
    Daily(Time),
}

impl Cadence {
    /// Returns a daily cadence at a full hour.
    pub const fn at_hour(hour: i8) -> Self {
        Self::Daily(Time::constant(hour, 0, 0, 0))
    }

    /// Parses the time of a daily cadence, such as `02:00`.
    ///
    /// # Errors
    /// A violation that names the format.
    pub fn daily(text: &str) -> Result<Self> {
        let time = Time::strptime(FORMAT, text);
        let time = time.map_err(|_| Error::invalid("daily_at", "must be a time of day such as 02:00"))?;
        Ok(Self::Daily(time))
    }

    /// Returns the cadence of a schedule's row. An invalid daily time counts as absent.
    pub fn of(row: &Schedule) -> Self {
        let daily = row.daily_at.as_deref().and_then(|text| Self::daily(text).ok());
        daily.unwrap_or(Self::Every(row.interval_ms))
    }

    pub(super) fn interval_ms(self) -> Millis {
        match self {
            Self::Every(interval) => interval,
            Self::Daily(_) => DAY,
        }
    }

    pub(super) fn daily_at(self) -> Option<String> {
        match self {
            Self::Every(_) => None,
            Self::Daily(time) => Some(time.strftime(FORMAT).to_string()),
        }
    }

    /// Returns the first run after `now`. A daily time that daylight saving time skips is moved forward by the skipped
    /// interval. A daily time that occurs twice counts once, the first time. Therefore every day has one run.
    pub fn next(self, now: Millis, zone: &TimeZone) -> Millis {
        let time = match self {
            Self::Every(interval) => return now + interval,
            Self::Daily(time) => time,
        };
        let from = Timestamp::from_millisecond(now).unwrap_or(Timestamp::UNIX_EPOCH);
        let mut date = zone.to_datetime(from).date();
        // Three dates suffice: today's run may be past, and a time zone can skip a whole day.
        for _ in 0..3 {
            let run = zone.to_ambiguous_timestamp(date.to_datetime(time)).compatible();
            if let Ok(run) = run
                && run.as_millisecond() > now
            {
                return run.as_millisecond();
            }
            date = date.saturating_add(jiff::Span::new().days(1));
        }
        now + DAY
    }
}

impl fmt::Display for Cadence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every(interval) => write!(formatter, "every {} s", interval / 1000),
            Self::Daily(time) => write!(formatter, "daily at {}", time.strftime(FORMAT)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns every run between two times.
    fn runs(daily: &str, zone: &str, from: &str, until: &str) -> Vec<String> {
        let zone = crate::settings::zone(zone).expect("a time zone");
        let cadence = Cadence::daily(daily).expect("a time");
        let moment = |text: &str| text.parse::<Timestamp>().expect("a timestamp").as_millisecond();
        let (mut now, until) = (moment(from), moment(until));
        let mut runs = Vec::new();
        loop {
            now = cadence.next(now, &zone);
            if now > until {
                return runs;
            }
            let at = Timestamp::from_millisecond(now).expect("a timestamp");
            let hours = zone.to_offset(at).seconds() / 3600;
            runs.push(format!("{} {hours:+}", zone.to_datetime(at).strftime("%d %H:%M")));
            // A worker takes a run slightly late.
            now += 400;
        }
    }

    #[test]
    fn time_skipped_by_dst_runs_once_and_no_day_is_missed() {
        assert_eq!(
            runs("02:00", "Europe/Paris", "2026-03-27T12:00Z", "2026-03-31T12:00Z"),
            ["28 02:00 +1", "29 03:00 +2", "30 02:00 +2", "31 02:00 +2"]
        );
    }

    #[test]
    fn time_repeated_by_dst_runs_once() {
        assert_eq!(
            runs("02:00", "Europe/Paris", "2026-10-23T12:00Z", "2026-10-26T12:00Z"),
            ["24 02:00 +2", "25 02:00 +2", "26 02:00 +1"]
        );
        assert_eq!(
            runs(
                "02:30",
                "Europe/Paris",
                "2026-10-25T00:30:01Z",
                "2026-10-26T12:00Z"
            ),
            ["26 02:30 +1"],
            "starts between the two occurrences"
        );
    }

    #[test]
    fn day_skipped_by_a_time_zone_has_no_run() {
        assert_eq!(
            runs("02:00", "Pacific/Apia", "2011-12-29T00:00Z", "2012-01-01T00:00Z"),
            ["29 02:00 -10", "31 02:00 +14", "01 02:00 +14"]
        );
    }

    #[test]
    fn year_has_one_run_per_day() {
        for zone in [
            "UTC",
            "Europe/Paris",
            "America/Havana",
            "Australia/Lord_Howe",
            "America/New_York",
        ] {
            for daily in ["00:00", "00:30", "01:45", "02:00", "23:59"] {
                // The range starts at 14:00 UTC, so that all these time zones have 365 runs in it.
                let count = runs(daily, zone, "2026-01-01T14:00Z", "2027-01-01T14:00Z").len();
                assert_eq!(count, 365, "{daily} {zone}");
            }
        }
    }

    #[test]
    fn times_of_day_have_one_notation() {
        assert_eq!(
            Cadence::daily("02:00").expect("a time").to_string(),
            "daily at 02:00"
        );
        for wrong in ["2", "24:00", "02:00:30", "noon", ""] {
            assert!(Cadence::daily(wrong).is_err(), "{wrong}");
        }
    }
}
