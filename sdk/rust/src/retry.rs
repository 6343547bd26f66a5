//! Temporary errors, and the wait before a retry.

use std::time::Duration;

use tonic::Code;

use crate::Error;
use crate::random;

/// How calls are repeated after temporary errors: the server restarts, the connection is lost, or a limit is exhausted
/// for a moment. Only safe calls are repeated: reads, and changes, which always carry a `request_id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The maximum number of attempts, including the first; 1 disables retries.
    pub max_attempts: u32,
    /// The wait before the second attempt, doubled for each further one. A random half of it is subtracted, so that
    /// many clients do not return at the same time.
    pub first_wait: Duration,
    /// The maximum wait. If the server asks for a longer wait, the call is not repeated, and the error contains that
    /// wait.
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
    /// Makes every call once, without retries.
    #[must_use]
    pub fn never() -> Self {
        Self {
            max_attempts: 1,
            ..Self::default()
        }
    }

    /// Returns the wait after the failed attempt `attempt` (counted from 1), or `None` to give up.
    pub(crate) fn wait_after(&self, attempt: u32, error: &Error) -> Option<Duration> {
        let wanted = error.retry_after().unwrap_or_default();
        (attempt < self.max_attempts && is_temporary(error) && wanted <= self.longest_wait)
            .then(|| self.back_off(attempt).max(wanted))
    }

    /// Returns the exponential wait, less a random part of at most half.
    pub(crate) fn back_off(&self, attempt: u32) -> Duration {
        let doublings = attempt.saturating_sub(1).min(16);
        let full = self
            .first_wait
            .saturating_mul(1 << doublings)
            .min(self.longest_wait);
        full.mul_f64(1.0 - random::fraction() / 2.0)
    }
}

/// Returns whether the error is temporary.
fn is_temporary(error: &Error) -> bool {
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
    use super::*;
    use crate::ErrorReason;

    fn refused(code: Code, retry_after: Option<Duration>) -> Error {
        Error::Api {
            code,
            reason: ErrorReason::Unspecified,
            reason_name: String::new(),
            message: String::new(),
            metadata: Box::default(),
            violations: Vec::new(),
            retry_after,
            request_id: "".into(),
        }
    }

    #[test]
    fn backoff_doubles_to_a_cap_with_at_most_half_jitter() {
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
    fn wait_of_server_is_kept_or_ends_retries() {
        let policy = RetryPolicy::default();
        let in_3_s = refused(Code::ResourceExhausted, Some(Duration::from_secs(3)));
        assert_eq!(policy.wait_after(1, &in_3_s), Some(Duration::from_secs(3)));
        let in_a_minute = refused(Code::ResourceExhausted, Some(Duration::from_secs(60)));
        assert_eq!(policy.wait_after(1, &in_a_minute), None);
    }

    #[test]
    fn permanent_error_is_not_retried() {
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
