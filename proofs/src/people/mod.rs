//! Sessions of people, and the isolation of workspaces.
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
    /// The number of measurements that missed their bar.
    bars_missed: u32,
}

impl Report {
    /// Returns whether no harm was counted and the bars hold.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let harms = self.totals.killed + self.totals.replayed;
        harms == 0 && self.leaks.leaked == 0 && self.bars_missed == 0
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
        )?;
        if self.bars_missed > 0 {
            write!(f, "; {} bars missed", self.bars_missed)?;
        }
        Ok(())
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
        bars_missed: 0,
    };
    if runs(&refresh::RULES) {
        report.totals = refresh::run(options.seed, options.interleavings).await?;
    }
    if runs(&tenancy::RULES) {
        report.leaks = tenancy::run(rule, options.sample, folder).await?;
    }
    if runs(&revoked::RULES) {
        report.bars_missed = measure(options, folder).await?;
    }
    Ok(report)
}

/// Measures the real program. Returns the number of missed bars.
async fn measure(options: &Options, folder: &Path) -> Result<u32> {
    let judges_time = !options.sample;
    let tries = if options.sample { SAMPLE_TRIES } else { TRIES };
    let rule = options.failpoints.as_str();
    let stage = Stage::set(&folder.join("measured"), rule).await?;
    let mut bars_missed = 0;
    let mut judge = |measured: Measured| {
        let Measured { line, is_good } = measured;
        println!("  {line}{}", if is_good { "" } else { ": NOT MET" });
        bars_missed += u32::from(!is_good);
    };
    // No failpoint concerns the first two.
    if rule.is_empty() {
        judge(flood::measure(&stage, judges_time).await?);
        judge(timing::measure(&stage, tries, judges_time).await?);
    }
    judge(revoked::on_sqlite(&stage).await?);
    judge(revoked::on_postgres(rule).await?);
    stage.strike().await?;
    Ok(bars_missed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_line_names_missed_bars() {
        let report = |bars_missed| Report {
            totals: Totals {
                interleavings: 10_000,
                ..Totals::default()
            },
            leaks: Leaks { ids: 7, leaked: 0 },
            bars_missed,
        };
        let line = "people: 10000 interleavings, 0 killed, 0 replayed; 7 ids, 0 leaked";
        assert_eq!(report(0).to_string(), line);
        assert!(report(0).is_good());
        assert_eq!(report(2).to_string(), format!("{line}; 2 bars missed"));
        assert!(!report(2).is_good());
    }
}
