//! How slowly an upload may come: who sends a byte now and then holds a place that others need.

use std::time::Duration;

use tokio::time::Instant;
use tonic::Code;
use vintedbot_domain::failpoints;
use vintedbot_proto::v1::ErrorReason;

use crate::Config;
use crate::errors::Problem;

/// The lowest mean rate, in bytes a second, after the first pause that may be idle: half of what the slowest mobile network
/// (GPRS) carries.
const LOWEST_RATE: u64 = 4 * 1024;

/// Holds one upload to its pace.
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
    /// # Errors
    /// DEADLINE_EXCEEDED when it does not come, or when those before it came too slowly.
    pub async fn next<T>(&self, piece: impl Future<Output = T>) -> Result<T, Problem> {
        let left = self.total.saturating_sub(self.begun.elapsed());
        let wait = if failpoints::disables("pace") {
            self.idle
        } else {
            self.idle.min(left)
        };
        match tokio::time::timeout(wait, piece).await {
            Ok(piece) => Ok(piece),
            Err(_) if wait < self.idle => Err(late("the upload takes too long")),
            Err(_) => Err(late("the upload stopped coming")),
        }
    }

    /// Counts what came.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub fn came(&mut self, bytes: usize) -> Result<(), Problem> {
        self.bytes += bytes as u64;
        let taken = self.begun.elapsed();
        let due = (LOWEST_RATE as f64 * taken.as_secs_f64()) as u64;
        if taken > self.idle && self.bytes < due && !failpoints::disables("pace") {
            return Err(late("the upload comes too slowly"));
        }
        Ok(())
    }
}

fn late(message: &str) -> Problem {
    Problem::new(Code::DeadlineExceeded, ErrorReason::DeadlineExceeded, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_secs(2);
    const TOTAL: Duration = Duration::from_secs(20);
    const SECOND: Duration = Duration::from_secs(1);

    /// An upload that began so long ago.
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
    fn upload_that_trickles_is_refused_after_its_first_pause() {
        begun(IDLE - SECOND).came(1).expect("it may still begin");
        let refused = begun(IDLE + SECOND).came(1).expect_err("is too slow");
        assert!(refused.message().contains("slowly"), "{}", refused.message());
    }

    #[test]
    fn upload_at_the_lowest_rate_is_taken() {
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
    async fn upload_that_stops_is_refused() {
        let pace = Pace {
            idle: Duration::from_millis(10),
            ..begun(Duration::ZERO)
        };
        let refused = pace.next(std::future::pending::<()>()).await;
        let refused = refused.expect_err("stopped");
        assert!(refused.message().contains("stopped"), "{}", refused.message());
    }
}
