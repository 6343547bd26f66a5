//! Local times and their conversion to UTC. A clock change skips some local times and repeats others; both are refused
//! unless the request resolves them.

use std::sync::LazyLock;

use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ToSpan};

use crate::clock::Millis;
use crate::{Error, Result, Violation};

/// The bundled time zones, which are the same on every machine.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// A date and time in a time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalTime {
    /// Such as `2026-03-29T18:30`, with or without seconds.
    pub date_time: String,
    /// An IANA name, such as `Europe/Paris`.
    pub time_zone: String,
    /// Which occurrence is meant if the local time occurs twice. Absent: such a time is refused.
    pub repeated: Option<Repeated>,
}

/// The occurrence of a local time that occurs twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeated {
    Earlier,
    Later,
}

impl LocalTime {
    /// Converts the local time to UTC.
    ///
    /// # Errors
    /// Violations for an invalid time or time zone. For a skipped time, the violation names the nearest existing
    /// times. For a repeated time without `repeated`, it names both occurrences.
    pub fn resolve(&self) -> Result<Millis> {
        let (time, zone) = match (self.date_time(), self.zone()) {
            (Ok(time), Ok(zone)) => (time, zone),
            (time, zone) => {
                let violations = [time.err(), zone.err()].into_iter().flatten();
                return Err(Error::Invalid(violations.collect()));
            }
        };
        let ambiguous = zone.to_ambiguous_timestamp(time);
        let moment = match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { .. } => ambiguous.compatible(),
            AmbiguousOffset::Gap { .. } => return Err(self.skipped_error(&zone, time)),
            AmbiguousOffset::Fold { .. } => match self.repeated {
                Some(Repeated::Earlier) => ambiguous.earlier(),
                Some(Repeated::Later) => ambiguous.later(),
                None => {
                    let (earlier, later) = (ambiguous.earlier(), ambiguous.later());
                    return Err(self.repeated_error(&zone, earlier.ok(), later.ok()));
                }
            },
        };
        moment
            .map(Timestamp::as_millisecond)
            .map_err(|_| Error::invalid("local_time.date_time", "is out of range"))
    }

    fn date_time(&self) -> std::result::Result<DateTime, Violation> {
        ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"]
            .iter()
            .find_map(|form| DateTime::strptime(form, &self.date_time).ok())
            .ok_or_else(|| Violation::new("local_time.date_time", self.format_violation()))
    }

    /// Returns the description of a violation: the wrong format, or the part that does not exist.
    fn format_violation(&self) -> String {
        let form: String = self.date_time.chars().map(digits_as_zeros).collect();
        let (day, hour) = self.date_time.split_once('T').unwrap_or_default();
        if form != "0000-00-00T00:00" && form != "0000-00-00T00:00:00" {
            "must be a date and time without an offset, such as 2026-03-29T18:30 or 2026-03-29T18:30:00"
                .to_owned()
        } else if Date::strptime("%Y-%m-%d", day).is_err() {
            format!("there is no day {day} in the calendar")
        } else {
            format!("there is no time {hour}: the hours of a day are 00:00 to 23:59")
        }
    }

    fn zone(&self) -> std::result::Result<TimeZone, Violation> {
        ZONES.get(&self.time_zone).map_err(|_| {
            let expected = "must be an IANA time zone such as Europe/Paris";
            let message = match self.time_zone.as_str() {
                "" => expected.to_owned(),
                unknown => format!("there is no time zone {unknown:?}; {expected}"),
            };
            Violation::new("local_time.time_zone", message)
        })
    }

    fn skipped_error(&self, zone: &TimeZone, time: DateTime) -> Error {
        let nearest = || {
            let before = zone.to_ambiguous_timestamp(time).earlier().ok()?;
            let change = zone.following(before).next()?.timestamp();
            let last = change.checked_sub(1.minute()).ok()?;
            Some((clock(zone, last), clock(zone, change)))
        };
        let nearest = nearest().map_or_else(String::new, |(last, first)| {
            format!("; the nearest times are {last} and {first}")
        });
        Error::invalid(
            "local_time.date_time",
            format!(
                "{} does not exist in {}, because clocks are moved forward over it{nearest}",
                self.date_time, self.time_zone
            ),
        )
    }

    fn repeated_error(&self, zone: &TimeZone, earlier: Option<Timestamp>, later: Option<Timestamp>) -> Error {
        let named = |moment: Option<Timestamp>| moment.map(|moment| clock(zone, moment)).unwrap_or_default();
        Error::invalid(
            "local_time.repeated_time",
            format!(
                "in {}, {} occurs twice; set EARLIER for {} or LATER for {}",
                self.time_zone,
                self.date_time,
                named(earlier),
                named(later)
            ),
        )
    }
}

fn digits_as_zeros(letter: char) -> char {
    if letter.is_ascii_digit() { '0' } else { letter }
}

/// Formats a time in a time zone, with its UTC offset.
fn clock(zone: &TimeZone, moment: Timestamp) -> String {
    moment
        .to_zoned_datetime(zone.clone())
        .strftime("%Y-%m-%dT%H:%M:%S%:z")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::rfc3339;

    fn at(date_time: &str, time_zone: &str, repeated: Option<Repeated>) -> Result<String, String> {
        let local = LocalTime {
            date_time: date_time.to_owned(),
            time_zone: time_zone.to_owned(),
            repeated,
        };
        local.resolve().map(rfc3339).map_err(|error| error.to_string())
    }

    #[test]
    fn local_time_follows_daylight_saving() {
        for (date_time, zone, moment) in [
            ("2026-01-15T18:30", "Europe/Paris", "2026-01-15T17:30:00.000Z"),
            ("2026-07-15T18:30:15", "Europe/Paris", "2026-07-15T16:30:15.000Z"),
            ("2026-01-15T18:30", "America/New_York", "2026-01-15T23:30:00.000Z"),
            ("2026-07-15T18:30", "America/New_York", "2026-07-15T22:30:00.000Z"),
            // The last minute before a clock change and the first minute after it.
            ("2026-03-29T01:59", "Europe/Paris", "2026-03-29T00:59:00.000Z"),
            ("2026-03-29T03:00", "Europe/Paris", "2026-03-29T01:00:00.000Z"),
            ("2026-10-25T01:59", "Europe/Paris", "2026-10-24T23:59:00.000Z"),
            ("2026-10-25T03:00", "Europe/Paris", "2026-10-25T02:00:00.000Z"),
            ("2026-03-08T03:00", "America/New_York", "2026-03-08T07:00:00.000Z"),
        ] {
            assert_eq!(
                at(date_time, zone, None).as_deref(),
                Ok(moment),
                "{date_time} {zone}"
            );
        }
    }

    #[test]
    fn skipped_local_time_is_refused_with_nearest_times() {
        for (date_time, zone, nearest) in [
            (
                "2026-03-29T02:30",
                "Europe/Paris",
                "2026-03-29T01:59:00+01:00 and 2026-03-29T03:00:00+02:00",
            ),
            (
                "2026-03-08T02:00",
                "America/New_York",
                "2026-03-08T01:59:00-05:00 and 2026-03-08T03:00:00-04:00",
            ),
        ] {
            let refused = at(date_time, zone, Some(Repeated::Later)).expect_err("there is no such time");
            assert!(refused.contains(nearest), "{refused}");
            assert!(refused.contains("local_time.date_time"), "{refused}");
        }
    }

    #[test]
    fn repeated_local_time_needs_an_offset() {
        for (date_time, zone, earlier, later, named) in [
            (
                "2026-10-25T02:30",
                "Europe/Paris",
                "2026-10-25T00:30:00.000Z",
                "2026-10-25T01:30:00.000Z",
                "EARLIER for 2026-10-25T02:30:00+02:00 or LATER for 2026-10-25T02:30:00+01:00",
            ),
            (
                "2026-11-01T01:15",
                "America/New_York",
                "2026-11-01T05:15:00.000Z",
                "2026-11-01T06:15:00.000Z",
                "EARLIER for 2026-11-01T01:15:00-04:00 or LATER for 2026-11-01T01:15:00-05:00",
            ),
        ] {
            assert_eq!(
                at(date_time, zone, Some(Repeated::Earlier)).as_deref(),
                Ok(earlier)
            );
            assert_eq!(at(date_time, zone, Some(Repeated::Later)).as_deref(), Ok(later));
            let refused = at(date_time, zone, None).expect_err("which one");
            assert!(refused.contains(named), "{refused}");
            assert!(refused.contains("local_time.repeated_time"), "{refused}");
        }
    }

    #[test]
    fn invalid_time_or_zone_is_refused_by_field() {
        for date_time in [
            "",
            "2026-03-29",
            "18:30",
            "2026-02-30T10:00",
            "2026-03-29T18:30Z",
            "2026-03-29T18:30+02:00",
            "2026-03-29 18:30",
            "2026-03-29T18:30:00.5",
        ] {
            let refused = at(date_time, "Europe/Paris", None).expect_err(date_time);
            assert!(
                refused.contains("local_time.date_time"),
                "{date_time:?}: {refused}"
            );
        }
        for (date_time, told) in [
            ("2026-02-30T10:00", "there is no day 2026-02-30"),
            ("2026-13-01T10:00:00", "there is no day 2026-13-01"),
            ("2026-03-29T24:30", "there is no time 24:30"),
            ("2026-03-29T18:75:00", "there is no time 18:75:00"),
        ] {
            let refused = at(date_time, "Europe/Paris", None).expect_err(date_time);
            assert!(refused.contains(told), "{date_time:?}: {refused}");
        }
        let both = at("2026-02-30T10:00", "Europe/Atlantis", None).expect_err("neither is there");
        assert!(
            both.contains("there is no day 2026-02-30")
                && both.contains("there is no time zone \"Europe/Atlantis\""),
            "{both}"
        );
        for zone in ["", "Paris", "Europe/Atlantis", "+02:00", "../etc/passwd"] {
            let refused = at("2026-05-01T10:00", zone, None).expect_err(zone);
            assert!(refused.contains("local_time.time_zone"), "{zone:?}: {refused}");
        }
    }
}
