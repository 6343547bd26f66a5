//! Attacks on a running instance, with an honest client beside.
//!
//! An instance with 1,024 file descriptors is attacked in the ways that have been tried on real ones. An attack succeeds
//! when the honest client is kept out, when memory grows beyond the bar, or when it reaches what it must not reach.
//! [`stage`] starts what is attacked, [`honest`] is the client beside, and one file for each letter has the attacks.

mod connections;
mod honest;
mod modes;
mod readers;
mod stage;
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
    /// The rule that holds it, and whose failpoint makes it succeed.
    rule: &'static str,
    /// Whether it is part of a sample.
    sample: bool,
    /// Whether the engine matters, so that it is also played on PostgreSQL.
    engines: bool,
    play: for<'a> fn(&'a Stage) -> Playing<'a>,
}

/// Names an attack's function.
macro_rules! attack {
    ($name:literal, $rule:literal, $play:path $(, $mark:ident)*) => {
        Attack {
            name: $name,
            rule: $rule,
            play: |stage| Box::pin($play(stage)),
            ..marked(&[$(stringify!($mark)),*])
        }
    };
}

fn marked(marks: &[&str]) -> Attack {
    Attack {
        name: "",
        rule: "",
        sample: marks.contains(&"sample"),
        engines: marks.contains(&"engines"),
        play: |_| Box::pin(async { Ok(Verdict::Held) }),
    }
}

fn attacks() -> Vec<Attack> {
    vec![
        attack!(
            "A1 unread watches that catch up",
            "readers",
            readers::catching_up,
            sample,
            engines
        ),
        attack!(
            "A2 unread watches in their snapshot",
            "readers",
            readers::snapshot
        ),
        attack!("A3 unread downloads", "readers", readers::downloads),
        attack!(
            "B1 idle connections",
            "connections",
            connections::idle,
            sample,
            engines
        ),
        attack!(
            "B2 request heads that never end",
            "connections",
            connections::slow_heads
        ),
        attack!(
            "B3 streams without a token",
            "connections",
            connections::open_streams
        ),
        attack!(
            "B4 more watches than an owner may have",
            "calls",
            connections::watches
        ),
        attack!(
            "E1 millions of empty entries",
            "lists",
            violations::empty_entries,
            sample
        ),
        attack!(
            "E2 millions of empty entries, deeper",
            "lists",
            violations::empty_photos
        ),
        attack!(
            "H1 a data folder that everybody may read",
            "modes",
            modes::open_folder,
            sample
        ),
    ]
}

/// The rules whose failpoints this proof knows.
#[must_use]
pub fn rules() -> Vec<&'static str> {
    let mut rules: Vec<_> = attacks().iter().map(|attack| attack.rule).collect();
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
        .filter(|attack| !options.sample || attack.sample)
        .filter(|attack| !on_postgres || attack.engines)
        .filter(|attack| options.failpoints.is_empty() || attack.rule == options.failpoints)
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
