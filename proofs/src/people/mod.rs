//! Sessions of people, and what a person of another workspace can reach.
//!
//! [`refresh`] refreshes sessions and replays their tokens in many interleavings. [`tenancy`] calls every method with
//! the ids of another workspace. The other modules measure the real program: [`flood`] and [`timing`] its sign-in,
//! [`revoked`] its streams.

pub mod context;
mod flood;
mod refresh;
mod revoked;
pub(crate) mod stage;
mod tenancy;
mod timing;

use std::fmt;
use std::path::Path;

use anyhow::Result;

use refresh::Totals;
use stage::Stage;
use tenancy::Leaks;

/// The tries to sign in with an unknown address, and as many with a wrong password.
const TRIES: u32 = 2_000;
const SAMPLE_TRIES: u32 = 50;

/// The options of the proof.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether only a sample runs. Its times are not judged, except that of a revocation.
    pub sample: bool,
    pub interleavings: u64,
    /// The seed of the first interleaving.
    pub seed: u64,
    /// The rule that is disabled; empty means none. Only the part that tests it runs.
    pub failpoints: String,
}

/// A measurement and whether its bar holds.
struct Measured {
    line: String,
    is_good: bool,
}

/// The result of the proof.
pub struct Report {
    totals: Totals,
    leaks: Leaks,
    bars_hold: bool,
}

impl Report {
    /// Returns whether no harm was counted and the bars hold.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let harms = self.totals.killed + self.totals.replayed;
        harms == 0 && self.leaks.leaked == 0 && self.bars_hold
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Totals {
            interleavings,
            killed,
            replayed,
        } = self.totals;
        let Leaks { ids, leaked } = self.leaks;
        write!(
            f,
            "people: {interleavings} interleavings, {killed} killed, {replayed} replayed; {ids} ids, {leaked} leaked"
        )
    }
}

/// Returns the rules that this proof can disable.
#[must_use]
pub fn rules() -> Vec<&'static str> {
    [&refresh::RULES[..], &tenancy::RULES[..], &revoked::RULES[..]].concat()
}

/// Runs the proof in `folder`. With a failpoint, runs only the part that tests the disabled rule.
///
/// # Errors
///
/// Fails if a part cannot run. Harm and bars that do not hold are counted and are not errors.
pub async fn run(options: &Options, folder: &Path) -> Result<Report> {
    let rule = options.failpoints.as_str();
    let runs = |rules: &[&str]| rule.is_empty() || rules.contains(&rule);
    let mut report = Report {
        totals: Totals::default(),
        leaks: Leaks::default(),
        bars_hold: true,
    };
    if runs(&refresh::RULES) {
        report.totals = refresh::run(options.seed, options.interleavings).await?;
    }
    if runs(&tenancy::RULES) {
        report.leaks = tenancy::run(rule, options.sample, folder).await?;
    }
    if runs(&revoked::RULES) {
        report.bars_hold = measure(options, folder).await?;
    }
    Ok(report)
}

/// Measures the real program. Returns whether all bars hold.
async fn measure(options: &Options, folder: &Path) -> Result<bool> {
    let judges_time = !options.sample;
    let tries = if options.sample { SAMPLE_TRIES } else { TRIES };
    let rule = options.failpoints.as_str();
    let stage = Stage::set(&folder.join("measured"), rule).await?;
    let mut bars_hold = true;
    let mut judge = |measured: Measured| {
        let Measured { line, is_good } = measured;
        println!("  {line}{}", if is_good { "" } else { ": NOT MET" });
        bars_hold &= is_good;
    };
    // No failpoint concerns the first two.
    if rule.is_empty() {
        judge(flood::measure(&stage, judges_time).await?);
        judge(timing::measure(&stage, tries, judges_time).await?);
    }
    judge(revoked::on_sqlite(&stage).await?);
    judge(revoked::on_postgres(rule).await?);
    stage.strike().await?;
    Ok(bars_hold)
}
