//! Attacks on a running instance, with an honest client beside.
//!
//! An instance with 1,024 file descriptors is attacked in the ways that have been tried on real ones. An attack succeeds
//! when the honest client is kept out, when memory grows beyond the bar, or when it reaches what it must not reach.
//! [`stage`] starts what is attacked, [`honest`] is the client beside, and one file for each letter has the attacks.

mod connections;
mod honest;
mod local;
mod modes;
mod pictures;
mod races;
mod readers;
mod stage;
mod tokens;
mod uploads;
mod violations;

use std::fmt;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::time::Instant;

use crate::bench::process::{peak_kib, raise_open_files, reset_peak};
use crate::bench::table::percentile;
use honest::Honest;
use stage::Stage;

/// The honest client's bar.
const P99_BAR: Duration = Duration::from_millis(250);
/// The bar of the process's resident memory, in KiB.
const PEAK_BAR_KIB: u64 = 400 * 1024;

/// What to play.
#[derive(Clone, Debug)]
pub struct Options {
    /// Only the attacks of a sample, whose times are not judged.
    pub sample: bool,
    /// Letters or names of the attacks to play; empty: all.
    pub only: String,
    /// An empty PostgreSQL database to play on; empty: SQLite.
    pub database_url: String,
    /// The rule that the instance runs without.
    pub failpoints: String,
}

/// How an attack ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    Held,
    /// What it reached.
    Succeeded(String),
}

impl Verdict {
    /// Held where `holds`, else what was reached.
    fn unless(holds: bool, reached: impl FnOnce() -> String) -> Self {
        if holds {
            Self::Held
        } else {
            Self::Succeeded(reached())
        }
    }
}

type Playing<'a> = Pin<Box<dyn Future<Output = Result<Verdict>> + 'a>>;

/// One attack.
struct Attack {
    /// Its letter, and what it does.
    name: &'static str,
    /// The rules that hold it: without any of them it succeeds. Each is a failpoint.
    rules: &'static [&'static str],
    play: for<'a> fn(&'a Stage) -> Playing<'a>,
    /// Whether it is part of a sample.
    is_sampled: bool,
    /// Whether it is also played on PostgreSQL, where that differs.
    needs_both_engines: bool,
}

impl Attack {
    fn new(
        name: &'static str,
        rules: &'static [&'static str],
        play: for<'a> fn(&'a Stage) -> Playing<'a>,
    ) -> Self {
        Self {
            name,
            rules,
            play,
            is_sampled: false,
            needs_both_engines: false,
        }
    }

    fn sampled(self) -> Self {
        Self {
            is_sampled: true,
            ..self
        }
    }

    fn on_both_engines(self) -> Self {
        Self {
            needs_both_engines: true,
            ..self
        }
    }
}

#[rustfmt::skip]
fn attacks() -> Vec<Attack> {
    vec![
        Attack::new("A1 unread watches that catch up", &["readers"], |stage| Box::pin(readers::catching_up(stage))).sampled().on_both_engines(),
        Attack::new("A2 unread watches in their snapshot", &["readers"], |stage| Box::pin(readers::snapshot(stage))),
        Attack::new("A3 unread downloads", &["slots"], |stage| Box::pin(readers::downloads(stage))),
        Attack::new("B1 idle connections", &["connections"], |stage| Box::pin(connections::idle(stage))).sampled().on_both_engines(),
        Attack::new("B2 request heads that never end", &["connections"], |stage| Box::pin(connections::slow_heads(stage))),
        Attack::new("B3 streams without a token", &["connections"], |stage| Box::pin(connections::open_streams(stage))),
        Attack::new("B4 more watches than an owner may have", &["calls"], |stage| Box::pin(connections::watches(stage))),
        Attack::new("C1 pictures that claim to be huge", &["bounds"], |stage| Box::pin(pictures::shapes(stage))).sampled(),
        Attack::new("C2 a colour profile of 2 GiB", &["metadata"], |stage| Box::pin(pictures::profile(stage))).sampled(),
        Attack::new("C3 eleven large pictures at once", &["budget"], |stage| Box::pin(pictures::large(stage))),
        Attack::new("C4 damaged pictures", &[], |stage| Box::pin(pictures::damaged(stage))),
        Attack::new("D1 altered upload links", &["early"], |stage| Box::pin(uploads::altered_links(stage))).sampled(),
        Attack::new("D2 uploads that never end", &["slots"], |stage| Box::pin(uploads::held(stage))),
        Attack::new("D3 one upload link for several photos", &["link"], |stage| Box::pin(uploads::used_link(stage))).sampled(),
        Attack::new("E1 millions of empty entries", &["lists"], |stage| Box::pin(violations::empty_entries(stage))).sampled(),
        Attack::new("E2 millions of empty entries, deeper", &["lists"], |stage| Box::pin(violations::empty_photos(stage))),
        Attack::new("F1 a log of everything", &["logs"], |stage| Box::pin(local::logs(stage))),
        Attack::new("G1 the doors of a browser at work", &["driver", "debugger"], |stage| Box::pin(local::doors(stage))).sampled(),
        Attack::new("H1 a data folder that everybody may read", &["modes"], |stage| Box::pin(modes::open_folder(stage))).sampled(),
        Attack::new("I1 a token that outlives its maker", &["expiry"], |stage| Box::pin(tokens::outlived(stage))),
        Attack::new("I2 links and children of a revoked token", &["links", "children"], |stage| Box::pin(tokens::revoked(stage))).sampled(),
        Attack::new("J1 equal calls at once", &["requests"], |stage| Box::pin(races::equal_calls(stage))).sampled().on_both_engines(),
        Attack::new("K1 browsers of a killed process", &["orphans"], |stage| Box::pin(local::orphans(stage))),
        Attack::new("K2 leases of a killed process", &["release"], |stage| Box::pin(local::leases(stage))).sampled(),
    ]
}

/// The rules whose failpoints this proof knows.
#[must_use]
pub fn rules() -> Vec<&'static str> {
    let mut rules: Vec<_> = attacks()
        .iter()
        .flat_map(|attack| attack.rules)
        .copied()
        .collect();
    rules.sort_unstable();
    rules.dedup();
    rules
}

/// What came of it.
pub struct Report {
    attacks: usize,
    succeeded: usize,
    p99: Duration,
    peak_kib: u64,
    judges_time: bool,
}

impl Report {
    /// Whether nothing succeeded and the bars hold.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.succeeded == 0 && self.peak_kib <= PEAK_BAR_KIB && (!self.judges_time || self.p99 <= P99_BAR)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "attack: {} attacks, {} succeeded; honest p99 {} ms, peak {} MiB",
            self.attacks,
            self.succeeded,
            self.p99.as_millis(),
            self.peak_kib.div_ceil(1024)
        )
    }
}

/// Plays the attacks in `folder`, one after the other.
///
/// # Errors
///
/// An instance does not start, or an attack cannot be played. That one succeeded is counted, and is no error.
pub async fn run(options: &Options, folder: &Path) -> Result<Report> {
    raise_open_files();
    let on_postgres = !options.database_url.is_empty();
    let wanted: Vec<_> = attacks()
        .into_iter()
        .filter(|attack| !options.sample || attack.is_sampled)
        .filter(|attack| !on_postgres || attack.needs_both_engines)
        .filter(|attack| options.failpoints.is_empty() || attack.rules.contains(&options.failpoints.as_str()))
        .filter(|attack| options.only.is_empty() || attack.name.starts_with(&options.only))
        .collect();
    ensure!(!wanted.is_empty(), "there is no such attack");
    let mut stage = Stage::set(options, folder).await?;
    let honest = Honest::begin(&stage)?;
    let mut report = Report {
        attacks: wanted.len(),
        succeeded: 0,
        p99: Duration::ZERO,
        peak_kib: 0,
        judges_time: !options.sample,
    };
    for attack in &wanted {
        let pid = stage.pid()?;
        reset_peak(pid)?;
        let (began, failed) = (Instant::now(), honest.failures());
        let verdict = (attack.play)(&stage)
            .await
            .with_context(|| format!("{} could not be played", attack.name))?;
        let peak = peak_kib(pid)?.max(stage.take_peak());
        report.peak_kib = report.peak_kib.max(peak);
        let reached = match verdict {
            Verdict::Succeeded(reached) => Some(reached),
            Verdict::Held if honest.failures() > failed => honest.last_failure(),
            Verdict::Held if peak > PEAK_BAR_KIB => Some("it takes more memory than the bar".to_owned()),
            Verdict::Held => None,
        };
        report.succeeded += usize::from(reached.is_some());
        let came = reached.map_or("held".to_owned(), |reached| format!("SUCCEEDED: {reached}"));
        println!(
            "  {:<45} {came} ({:.1} s, {} MiB)",
            attack.name,
            began.elapsed().as_secs_f64(),
            peak.div_ceil(1024)
        );
    }
    let mut times = honest.end().await?;
    times.sort_unstable();
    report.p99 = percentile(&times, 0.99);
    println!("  {} honest calls", times.len());
    stage.strike().await?;
    Ok(report)
}
