//! Increases the number of simultaneous calls until they are too slow or refused, and reports the server's use of
//! resources.

use std::fmt;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use anyhow::Result;
use futures::future::join_all;
use tokio::time::Instant;

use super::seller::Seller;
use crate::bench::process::{processor_time, resident_kib};
use crate::bench::table::{percentile, time};

/// The number of calls in flight, step by step.
const STEPS: [usize; 7] = [1, 8, 32, 128, 512, 1_024, 2_048];
const STEP: Duration = Duration::from_secs(5);
/// The p99 limit; users notice a slower page.
const TOO_LONG: Duration = Duration::from_millis(250);

/// One step.
struct Step {
    in_flight: usize,
    per_second: f64,
    p99: Duration,
    refused: usize,
    /// The number of processor cores that the server used.
    processors: f64,
    memory_kib: u64,
}

impl Step {
    fn is_too_much(&self) -> bool {
        self.refused > 0 || self.p99 > TOO_LONG
    }
}

/// All steps up to the first that reached a limit.
#[derive(Default)]
pub struct Strain {
    steps: Vec<Step>,
}

/// Lets the sellers read with an increasing number of simultaneous calls.
pub async fn measure(sellers: &[Seller], pid: u32) -> Result<Strain> {
    let mut steps = Vec::new();
    for in_flight in STEPS {
        let (began, used) = (Instant::now(), processor_time(pid)?);
        let done = Mutex::new((Vec::new(), 0));
        let callers = (0..in_flight).map(|number| {
            let (seller, done) = (&sellers[number % sellers.len()], &done);
            async move {
                while began.elapsed() < STEP {
                    let asked = Instant::now();
                    let answer = seller.read().await;
                    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                    match answer {
                        Ok(()) => done.0.push(asked.elapsed()),
                        Err(_) => done.1 += 1,
                    }
                }
            }
        });
        join_all(callers).await;
        let elapsed = began.elapsed().as_secs_f64();
        let (mut times, refused) = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        times.sort_unstable();
        let step = Step {
            in_flight,
            per_second: times.len() as f64 / elapsed,
            p99: percentile(&times, 0.99),
            refused,
            processors: (processor_time(pid)? - used).as_secs_f64() / elapsed,
            memory_kib: resident_kib(pid)?,
        };
        let is_too_much = step.is_too_much();
        steps.push(step);
        if is_too_much {
            break;
        }
    }
    Ok(Strain { steps })
}

impl fmt::Display for Strain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            writeln!(
                f,
                "ListThreads, {} at once: {:.0} a second, p99 {}, {} refused, {:.1} processors, {} MiB",
                step.in_flight,
                step.per_second,
                time(step.p99),
                step.refused,
                step.processors,
                step.memory_kib / 1_024,
            )?;
        }
        let given = self.steps.iter().rev().find(|step| step.is_too_much());
        match given {
            Some(step) if step.refused > 0 => {
                writeln!(f, "first limit: calls are refused at {} at once", step.in_flight)
            }
            Some(step) => writeln!(
                f,
                "first limit: latency, at {} at once, with {:.1} processors in use",
                step.in_flight, step.processors
            ),
            None => writeln!(f, "first limit: none reached"),
        }
    }
}
