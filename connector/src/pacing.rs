//! Pauses between steps in the form, which limit the load on the site.

use std::sync::Arc;
use std::time::Duration;

/// The source of random numbers. A test passes a fixed sequence, the program a generator.
pub type Random = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Pauses of `mean` plus or minus up to `jitter`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pacing {
    pub mean: Duration,
    /// At most `mean`. Otherwise the shortest pauses are zero.
    pub jitter: Duration,
}

impl Pacing {
    /// No pauses.
    pub const NONE: Self = Self {
        mean: Duration::ZERO,
        jitter: Duration::ZERO,
    };

    /// Returns the next pause, from one random number.
    pub fn pause(&self, random: u64) -> Duration {
        let share = random as f64 / u64::MAX as f64;
        (self.mean + self.jitter.mul_f64(2.0 * share)).saturating_sub(self.jitter)
    }
}

/// A pacing with its source of random numbers.
#[derive(Clone)]
pub(crate) struct Pace {
    pub(crate) pacing: Pacing,
    pub(crate) random: Random,
}

impl Pace {
    pub(crate) fn random(&self) -> u64 {
        (self.random)()
    }

    /// Pauses before the next step.
    pub(crate) async fn pause(&self) {
        let pause = self.pacing.pause(self.random());
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_stay_within_jitter_of_the_mean() {
        let pacing = Pacing {
            mean: Duration::from_millis(800),
            jitter: Duration::from_millis(300),
        };
        assert_eq!(pacing.pause(0), Duration::from_millis(500));
        assert_eq!(pacing.pause(u64::MAX), Duration::from_millis(1100));
        assert_eq!(Pacing::NONE.pause(u64::MAX), Duration::ZERO);
    }
}
