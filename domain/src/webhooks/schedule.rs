//! The retry schedule of webhook deliveries.

use crate::clock::Millis;

const SECOND: Millis = 1_000;
const MINUTE: Millis = 60 * SECOND;
const HOUR: Millis = 60 * MINUTE;

/// The pause before each attempt, including the first, in milliseconds. This is the schedule that Standard Webhooks
/// recommends, about three days in total.
pub const RETRIES: [Millis; 10] = [
    0,
    5 * SECOND,
    5 * MINUTE,
    30 * MINUTE,
    2 * HOUR,
    5 * HOUR,
    10 * HOUR,
    14 * HOUR,
    20 * HOUR,
    24 * HOUR,
];
/// The time after which an endpoint is disabled if all attempts fail, in milliseconds.
pub const DISABLED_AFTER: Millis = 5 * 24 * HOUR;
/// The maximum delay that a receiver can request, in milliseconds.
const MAX_REQUESTED: Millis = 24 * HOUR;

/// Returns the pause after this number of failures; `None` if the delivery has failed for good.
///
/// Jitter adds up to a fifth of the scheduled pause, so that deliveries that failed together are not retried together.
/// The pause is never shorter than the receiver requested.
pub(super) fn pause(failures: i64, requested: Option<Millis>, random: [u8; 32]) -> Option<Millis> {
    let base = *RETRIES.get(usize::try_from(failures).ok()?)?;
    let [first, second, ..] = random;
    let jitter = base / 5 * Millis::from(u16::from_be_bytes([first, second])) / Millis::from(u16::MAX);
    let requested = requested.unwrap_or(0).clamp(0, MAX_REQUESTED);
    Some((base + jitter).max(requested))
}

/// Parses a `Retry-After` header, which contains seconds or a date. Returns the delay from `now` in milliseconds;
/// `None` if the header is invalid.
pub fn retry_after(header: &str, now: Millis) -> Option<Millis> {
    let header = header.trim();
    if let Ok(seconds) = header.parse::<u32>() {
        return Some(Millis::from(seconds) * SECOND);
    }
    let date = chrono::DateTime::parse_from_rfc2822(header).ok()?;
    Some((date.timestamp_millis() - now).max(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_follows_the_table_and_ends_after_ten_attempts() {
        for (failures, base) in RETRIES.iter().enumerate() {
            let failures = i64::try_from(failures).expect("few");
            assert_eq!(pause(failures, None, [0; 32]), Some(*base));
            assert_eq!(pause(failures, None, [255; 32]), Some(base + base / 5));
        }
        assert_eq!(pause(10, None, [0; 32]), None);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = 1_445_412_480_000 - 90_000;
        for (header, wish) in [
            ("120", Some(120_000)),
            (" 0 ", Some(0)),
            ("Wed, 21 Oct 2015 07:28:00 GMT", Some(90_000)),
            ("Tue, 20 Oct 2015 07:28:00 GMT", Some(0)),
            ("-5", None),
            ("soon", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(retry_after(header, now), wish, "{header}");
        }
    }

    #[test]
    fn retry_after_is_obeyed_up_to_a_limit() {
        assert_eq!(pause(1, Some(60_000), [0; 32]), Some(60_000));
        assert_eq!(pause(2, Some(60_000), [0; 32]), Some(300_000));
        assert_eq!(pause(1, Some(Millis::MAX), [0; 32]), Some(MAX_REQUESTED));
        assert_eq!(pause(1, Some(-5), [0; 32]), Some(5_000));
    }
}
