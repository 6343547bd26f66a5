//! `make browser`: every generation of the site's form, in every language, met by every kind of challenge at every step
//! where one can strike, in a real Chromium against a practice site in this process.
//!
//! `cases` says what there is and covers every pair of it, `expected` what has to come of a case, `listing` what is
//! published in it, `run` drives one and lets the site's own records judge. A new kind or step: an entry in `cases`, its
//! verdict in `expected`.

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

/// Browsers at a time: each has a core of a small machine.
const AT_A_TIME: usize = 2;

/// What to run.
pub struct Options {
    /// At most so many cases; absent means all.
    pub cases: Option<usize>,
    /// Only those whose line says this.
    pub named: String,
    /// Of the cases' order and of what is not compelled in them.
    pub seed: u64,
    /// Whether nothing tells a challenge.
    pub is_blind: bool,
}

/// What came of all cases.
pub struct Report {
    pub cases: usize,
    pub as_expected: usize,
    /// Of those in which a challenge had struck, by the site's records.
    pub published_past: usize,
}

impl Report {
    /// Whether all is as it has to be.
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

/// Runs the cases and says on standard error what was not as expected.
///
/// # Errors
///
/// There is no browser, or no practice site can be started.
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
