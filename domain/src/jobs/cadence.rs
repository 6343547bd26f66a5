//! When a schedule's turns come: every so often, or daily at a time.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;

use super::Schedule;
use crate::clock::Millis;
use crate::{Error, Result};

/// How a time of the day is written.
const FORMAT: &str = "%H:%M";
const DAY: Millis = 24 * 3_600_000;

/// When the turns of a schedule come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cadence {
    /// With that many milliseconds in between.
    Every(Millis),
    /// Once a day, at a time by the clocks of a place.
    Daily(Time),
}

impl Cadence {
    /// At a full hour.
    pub const fn at_hour(hour: i8) -> Self {
        Self::Daily(Time::constant(hour, 0, 0, 0))
    }

    /// At a time such as `02:00`.
    ///
    /// # Errors
    /// A violation that says how it is written.
    pub fn daily(text: &str) -> Result<Self> {
        let time = Time::strptime(FORMAT, text);
        let time = time.map_err(|_| Error::invalid("daily_at", "a time of the day such as 02:00"))?;
        Ok(Self::Daily(time))
    }

    /// That of a row.
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

    /// The first turn after `now`. Of a time that the clocks skip, it is the moment that they would have shown it; of one that
    /// they show twice, the first. So there is one turn on every day.
    pub fn next(self, now: Millis, zone: &TimeZone) -> Millis {
        let time = match self {
            Self::Every(interval) => return now + interval,
            Self::Daily(time) => time,
        };
        let from = Timestamp::from_millisecond(now).unwrap_or(Timestamp::UNIX_EPOCH);
        let mut date = zone.to_datetime(from).date();
        // Two days on where a place leaves one out.
        for _ in 0..3 {
            let turn = zone.to_ambiguous_timestamp(date.to_datetime(time)).compatible();
            if let Ok(turn) = turn
                && turn.as_millisecond() > now
            {
                return turn.as_millisecond();
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

    /// Every turn between two moments.
    fn turns(daily: &str, zone: &str, from: &str, until: &str) -> Vec<String> {
        let zone = crate::settings::zone(zone).expect("a zone");
        let cadence = Cadence::daily(daily).expect("a time");
        let moment = |text: &str| text.parse::<Timestamp>().expect("a moment").as_millisecond();
        let (mut now, until) = (moment(from), moment(until));
        let mut turns = Vec::new();
        loop {
            now = cadence.next(now, &zone);
            if now > until {
                return turns;
            }
            let at = Timestamp::from_millisecond(now).expect("a moment");
            let hours = zone.to_offset(at).seconds() / 3600;
            turns.push(format!("{} {hours:+}", zone.to_datetime(at).strftime("%d %H:%M")));
            // A turn is taken a little late.
            now += 400;
        }
    }

    #[test]
    fn a_time_that_the_clocks_skip_comes_once_and_no_day_is_left_out() {
        assert_eq!(
            turns("02:00", "Europe/Paris", "2026-03-27T12:00Z", "2026-03-31T12:00Z"),
            ["28 02:00 +1", "29 03:00 +2", "30 02:00 +2", "31 02:00 +2"]
        );
    }

    #[test]
    fn a_time_that_the_clocks_show_twice_comes_once() {
        assert_eq!(
            turns("02:00", "Europe/Paris", "2026-10-23T12:00Z", "2026-10-26T12:00Z"),
            ["24 02:00 +2", "25 02:00 +2", "26 02:00 +1"]
        );
        assert_eq!(
            turns(
                "02:30",
                "Europe/Paris",
                "2026-10-25T00:30:01Z",
                "2026-10-26T12:00Z"
            ),
            ["26 02:30 +1"],
            "begun between the two"
        );
    }

    #[test]
    fn a_day_that_a_place_leaves_out_has_no_turn_of_its_own() {
        assert_eq!(
            turns("02:00", "Pacific/Apia", "2011-12-29T00:00Z", "2012-01-01T00:00Z"),
            ["29 02:00 -10", "31 02:00 +14", "01 02:00 +14"]
        );
    }

    #[test]
    fn a_year_has_as_many_turns_as_days() {
        for zone in [
            "UTC",
            "Europe/Paris",
            "America/Havana",
            "Australia/Lord_Howe",
            "America/New_York",
        ] {
            for daily in ["00:00", "00:30", "01:45", "02:00", "23:59"] {
                // The day begins west and east of Greenwich within the margin.
                let count = turns(daily, zone, "2026-01-01T14:00Z", "2027-01-01T14:00Z").len();
                assert_eq!(count, 365, "{daily} {zone}");
            }
        }
    }

    #[test]
    fn times_of_the_day_are_written_in_one_way() {
        assert_eq!(
            Cadence::daily("02:00").expect("a time").to_string(),
            "daily at 02:00"
        );
        for wrong in ["2", "24:00", "02:00:30", "noon", ""] {
            assert!(Cadence::daily(wrong).is_err(), "{wrong}");
        }
    }
}
