//! The minimum rate of an upload. A slow sender would hold a slot that others need.

use std::time::Duration;

use tokio::time::Instant;
use tonic::Code;
use vintedbot_domain::failpoints;
use vintedbot_proto::v1::ErrorReason;

use crate::Config;
use crate::errors::Problem;

/// The minimum mean rate in bytes per second, checked after the first idle timeout: half the rate of the slowest mobile
/// network (GPRS).
const LOWEST_RATE: u64 = 4 * 1024;

/// The pace of one upload.
#[derive(Debug)]
pub struct Pace {
    begun: Instant,
    bytes: u64,
    idle: Duration,
    total: Duration,
}

impl Pace {
    pub fn begin(config: &Config) -> Self {
        Self {
            begun: Instant::now(),
            bytes: 0,
            idle: config.upload_idle_timeout,
            total: config.upload_timeout,
        }
    }

    /// Waits for the next piece.
    ///
    /// DEADLINE_EXCEEDED if the piece does not arrive in time, or if the upload exceeds its total time.
    pub async fn next<T>(&self, piece: impl Future<Output = T>) -> Result<T, Problem> {
        let left = self.total.saturating_sub(self.begun.elapsed());
        let wait = if failpoints::disables("pace") {
            self.idle
        } else {
            self.idle.min(left)
        };
        match tokio::time::timeout(wait, piece).await {
            Ok(piece) => Ok(piece),
            Err(_) if wait < self.idle => Err(deadline_exceeded("the upload takes too long")),
            Err(_) => Err(deadline_exceeded("the upload stalled")),
        }
    }

    /// Counts received bytes.
    ///
    /// # Errors
    /// DEADLINE_EXCEEDED if the mean rate is below the minimum.
    pub fn came(&mut self, bytes: usize) -> Result<(), Problem> {
        self.bytes += bytes as u64;
        let taken = self.begun.elapsed();
        let due = (LOWEST_RATE as f64 * taken.as_secs_f64()) as u64;
        if taken > self.idle && self.bytes < due && !failpoints::disables("pace") {
            return Err(deadline_exceeded("the upload is too slow"));
        }
        Ok(())
    }
}

fn deadline_exceeded(message: &str) -> Problem {
    Problem::new(Code::DeadlineExceeded, ErrorReason::DeadlineExceeded, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_secs(2);
    const TOTAL: Duration = Duration::from_secs(20);
    const SECOND: Duration = Duration::from_secs(1);

    /// An upload that began the given time ago.
    fn begun(ago: Duration) -> Pace {
        Pace {
            begun: Instant::now()
                .checked_sub(ago)
                .expect("the machine runs for longer"),
            bytes: 0,
            idle: IDLE,
            total: TOTAL,
        }
    }

    #[test]
    fn slow_upload_is_refused_after_its_first_pause() {
        begun(IDLE - SECOND).came(1).expect("it may still begin");
        let refused = begun(IDLE + SECOND).came(1).expect_err("is too slow");
        assert!(refused.message().contains("too slow"), "{}", refused.message());
    }

    #[test]
    fn upload_at_the_minimum_rate_is_accepted() {
        let bytes = usize::try_from(LOWEST_RATE * (TOTAL.as_secs() + 60)).expect("small");
        begun(TOTAL).came(bytes).expect("comes fast enough");
    }

    #[tokio::test]
    async fn upload_ends_when_its_time_is_over() {
        let pace = begun(TOTAL);
        let refused = pace.next(std::future::pending::<()>()).await;
        let refused = refused.expect_err("its time is over");
        assert!(refused.message().contains("too long"), "{}", refused.message());
    }

    #[tokio::test]
    async fn stopped_upload_is_refused() {
        let pace = Pace {
            idle: Duration::from_millis(10),
            ..begun(Duration::ZERO)
        };
        let refused = pace.next(std::future::pending::<()>()).await;
        let refused = refused.expect_err("stalled");
        assert!(refused.message().contains("stalled"), "{}", refused.message());
    }
}
