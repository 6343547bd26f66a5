//! Attacks on a running instance while an honest client uses it.
//!
//! The instance has 1,024 file descriptors. The attacks are known from real systems. An attack succeeds if the honest
//! client is not served, if memory exceeds its bar, or if the attack reaches its goal. [`stage`] starts the instance,
//! [`honest`] is the honest client, and each letter of the attacks has its own file.

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

/// The largest p99 latency of the honest client.
const P99_BAR: Duration = Duration::from_millis(250);
/// The largest resident memory of the process, in KiB.
const PEAK_BAR_KIB: u64 = 400 * 1024;

/// The options of the attack proof.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether only a sample of the attacks runs. Its times are not judged.
    pub sample: bool,
    /// The beginning of the names of the attacks to run; empty means all.
    pub only: String,
    /// The URL of an empty PostgreSQL database; empty means SQLite.
    pub database_url: String,
    /// The rule that is disabled in the instance.
    pub failpoints: String,
}

/// The result of an attack.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    Held,
    /// The attack succeeded; the text says what it reached.
    Succeeded(String),
}

impl Verdict {
    /// Returns `Held` if `holds` is true, else `Succeeded` with the text.
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
    /// The attack's letter and number, and its description.
    name: &'static str,
    /// The rules that prevent the attack. Each is a failpoint: without it, the attack succeeds.
    rules: &'static [&'static str],
    play: for<'a> fn(&'a Stage) -> Playing<'a>,
    /// Whether the attack is part of a sample.
    is_sampled: bool,
    /// Whether the attack also runs on PostgreSQL, because the engines differ for it.
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
        Attack::new("B4 more watches than a workspace may have", &["calls"], |stage| Box::pin(connections::watches(stage))),
        Attack::new("C1 pictures that claim to be huge", &["bounds"], |stage| Box::pin(pictures::shapes(stage))).sampled(),
        Attack::new("C2 a colour profile of 2 GiB", &["metadata"], |stage| Box::pin(pictures::profile(stage))).sampled(),
        Attack::new("C3 eleven large pictures at once", &["budget"], |stage| Box::pin(pictures::large(stage))),
        Attack::new("C4 damaged pictures", &[], |stage| Box::pin(pictures::damaged(stage))),
        Attack::new("D1 altered upload links", &["early"], |stage| Box::pin(uploads::altered_links(stage))).sampled(),
        Attack::new("D2 uploads that never end", &["slots"], |stage| Box::pin(uploads::held(stage))),
        Attack::new("D3 one upload link for several photos", &["link"], |stage| Box::pin(uploads::used_link(stage))).sampled(),
        Attack::new("E1 millions of empty entries", &["lists"], |stage| Box::pin(violations::empty_entries(stage))).sampled(),
        Attack::new("E2 millions of empty nested entries", &["lists"], |stage| Box::pin(violations::empty_photos(stage))),
        Attack::new("F1 secrets in a full log", &["logs"], |stage| Box::pin(local::logs(stage))),
        Attack::new("G1 open ports of a running browser", &["driver", "debugger"], |stage| Box::pin(local::doors(stage))).sampled(),
        Attack::new("H1 a world-readable data folder", &["modes"], |stage| Box::pin(modes::open_folder(stage))).sampled(),
        Attack::new("I1 a token that outlives its parent", &["expiry"], |stage| Box::pin(tokens::outlived(stage))),
        Attack::new("I2 links and children of a revoked token", &["links", "children"], |stage| Box::pin(tokens::revoked(stage))).sampled(),
        Attack::new("J1 simultaneous equal calls", &["requests"], |stage| Box::pin(races::equal_calls(stage))).sampled().on_both_engines(),
        Attack::new("K1 browsers of a killed process", &["orphans"], |stage| Box::pin(local::orphans(stage))),
        Attack::new("K2 leases of a killed process", &["release"], |stage| Box::pin(local::leases(stage))).sampled(),
    ]
}

/// Returns the rules that this proof can disable.
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

/// The results of all attacks.
pub struct Report {
    attacks: usize,
    succeeded: usize,
    p99: Duration,
    peak_kib: u64,
    judges_time: bool,
}

impl Report {
    /// Returns whether no attack succeeded and the bars hold.
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

/// Runs the attacks in `folder`, one after the other.
///
/// # Errors
///
/// Fails if an instance does not start or an attack cannot run. A successful attack is counted and is not an error.
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
    ensure!(!wanted.is_empty(), "no attack matches the options");
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
            .with_context(|| format!("cannot run the attack {}", attack.name))?;
        let peak = peak_kib(pid)?.max(stage.take_peak());
        report.peak_kib = report.peak_kib.max(peak);
        let reached = match verdict {
            Verdict::Succeeded(reached) => Some(reached),
            Verdict::Held if honest.failures() > failed => honest.last_failure(),
            Verdict::Held if peak > PEAK_BAR_KIB => Some("the memory exceeds the bar".to_owned()),
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
