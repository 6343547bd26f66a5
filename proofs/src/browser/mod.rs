//! `make browser`: runs a real Chromium against a practice site in this process. The cases combine every generation of
//! the site's form, every language, every kind of challenge and every step at which it can appear.
//!
//! `cases` defines the values and covers every pair of them, `expected` defines the expected outcome, `listing` the
//! content. `run` runs one case and compares it with the site's records. To add a kind of challenge or a step, add it
//! to `cases` and its verdict to `expected`.

pub mod cases;
mod expected;
mod listing;
mod run;

use std::fmt;
use std::sync::Arc;

use anyhow::Result;
use futures::StreamExt as _;
use vintedbot_connector::BrowserConfig;
use vintedbot_marketplace::challenge::Detector;

pub use run::Outcome;

/// The number of simultaneous browsers; each occupies a core of a small machine.
const AT_A_TIME: usize = 2;

/// The options of the browser proof.
pub struct Options {
    /// The largest number of cases; absent means all.
    pub cases: Option<usize>,
    /// The text that the lines of the cases must contain.
    pub named: String,
    /// The seed of the cases' order and of their free values.
    pub seed: u64,
    /// Whether the challenge detector is disabled.
    pub is_blind: bool,
}

/// The results of all cases.
pub struct Report {
    pub cases: usize,
    pub as_expected: usize,
    /// The number of cases with a challenge, by the site's records, that were published nevertheless.
    pub published_past: usize,
}

impl Report {
    /// Returns whether all cases ended as expected.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.cases > 0 && self.as_expected == self.cases && self.published_past == 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "browser: {} cases, {} as expected, {} published past a challenge",
            self.cases, self.as_expected, self.published_past
        )
    }
}

/// Runs the cases and prints each unexpected outcome on standard error.
///
/// # Errors
///
/// Fails if there is no browser or the practice site does not start.
pub async fn run(options: &Options, browser: BrowserConfig) -> Result<Report> {
    let detector = if options.is_blind {
        Detector::parse("short_page_chars = 0\nsign = []")?
    } else {
        Detector::embedded().clone()
    };
    let detector = Arc::new(detector);
    let mut cases = cases::covering(options.seed);
    if options.is_blind {
        cases = cases::unnoticed();
    }
    cases.retain(|case| case.to_string().contains(&options.named));
    cases.truncate(options.cases.unwrap_or(usize::MAX));
    let count = cases.len();
    let outcomes = futures::stream::iter(cases)
        .map(|case| {
            let (browser, detector) = (browser.clone(), Arc::clone(&detector));
            tokio::spawn(async move { (case, run::case(&case, browser, detector).await) })
        })
        .buffer_unordered(AT_A_TIME);
    let mut report = Report {
        cases: count,
        as_expected: 0,
        published_past: 0,
    };
    let mut outcomes = std::pin::pin!(outcomes.enumerate());
    while let Some((at, joined)) = outcomes.next().await {
        let (case, outcome) = joined?;
        let Outcome {
            came_to,
            is_as_expected,
            published_past,
        } = outcome?;
        report.as_expected += usize::from(is_as_expected);
        report.published_past += usize::from(published_past);
        if !is_as_expected || published_past {
            eprintln!("{case}: {came_to}");
        }
        if (at + 1).is_multiple_of(20) {
            eprintln!("{} of {count} cases", at + 1);
        }
    }
    Ok(report)
}
