//! Which errors pass by themselves, and how long to wait before asking again.

use std::time::Duration;

use tonic::Code;

use crate::Error;
use crate::random;

/// How calls are repeated that failed for a reason that passes: the server is restarting, the line was cut, a limit is
/// used up for a moment. Only what is safe is repeated: reading, and changes, which all carry a `request_id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How often a call is made at most, the first time included; 1 means never again.
    pub max_attempts: u32,
    /// The wait before the second attempt; each further one doubles it. A random half of it is taken off, so that many
    /// clients do not come back at once.
    pub first_wait: Duration,
    /// The longest wait. A server that asks for more is not asked again: the error says how long it wants.
    pub longest_wait: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 5,
            first_wait: Duration::from_millis(200),
            longest_wait: Duration::from_secs(10),
        }
    }
}

impl RetryPolicy {
    /// Makes every call once.
    #[must_use]
    pub fn never() -> Self {
        Self {
            max_attempts: 1,
            ..Self::default()
        }
    }

    /// How long to wait after the `attempt`th call (from 1) failed with `error`; `None` is to give up.
    pub(crate) fn wait_after(&self, attempt: u32, error: &Error) -> Option<Duration> {
        let wanted = error.retry_after().unwrap_or_default();
        (attempt < self.max_attempts && passes(error) && wanted <= self.longest_wait)
            .then(|| self.back_off(attempt).max(wanted))
    }

    /// The wait that doubles, less a random half.
    pub(crate) fn back_off(&self, attempt: u32) -> Duration {
        let doublings = attempt.saturating_sub(1).min(16);
        let full = self
            .first_wait
            .saturating_mul(1 << doublings)
            .min(self.longest_wait);
        full.mul_f64(1.0 - random::fraction() / 2.0)
    }
}

/// Whether the same call may succeed a little later.
fn passes(error: &Error) -> bool {
    match error {
        Error::Api {
            code: Code::Unavailable | Code::DeadlineExceeded,
            ..
        } => true,
        Error::Api {
            code: Code::ResourceExhausted,
            retry_after,
            ..
        } => retry_after.is_some(),
        Error::Line(_) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::ErrorReason;

    fn refused(code: Code, retry_after: Option<Duration>) -> Error {
        Error::Api {
            code,
            reason: ErrorReason::Unspecified,
            reason_name: String::new(),
            message: String::new(),
            metadata: BTreeMap::new(),
            violations: Vec::new(),
            retry_after,
        }
    }

    #[test]
    fn waits_double_up_to_the_longest_and_lose_at_most_half() {
        let policy = RetryPolicy::default();
        for (attempt, full) in [(1, 200), (2, 400), (3, 800), (7, 10_000), (40, 10_000)] {
            let full = Duration::from_millis(full);
            let wait = policy.back_off(attempt);
            assert!(
                wait > full / 2 - Duration::from_millis(1) && wait <= full,
                "{attempt}: {wait:?}"
            );
        }
    }

    #[test]
    fn the_servers_wish_is_the_least_wait_and_a_longer_one_than_allowed_is_given_back() {
        let policy = RetryPolicy::default();
        let in_3_s = refused(Code::ResourceExhausted, Some(Duration::from_secs(3)));
        assert_eq!(policy.wait_after(1, &in_3_s), Some(Duration::from_secs(3)));
        let in_a_minute = refused(Code::ResourceExhausted, Some(Duration::from_secs(60)));
        assert_eq!(policy.wait_after(1, &in_a_minute), None);
    }

    #[test]
    fn what_stays_wrong_is_not_asked_again() {
        let policy = RetryPolicy::default();
        for code in [
            Code::InvalidArgument,
            Code::FailedPrecondition,
            Code::Internal,
            Code::ResourceExhausted,
        ] {
            assert_eq!(policy.wait_after(1, &refused(code, None)), None, "{code:?}");
        }
        assert!(policy.wait_after(1, &refused(Code::Unavailable, None)).is_some());
        assert_eq!(policy.wait_after(5, &refused(Code::Unavailable, None)), None);
    }
}
