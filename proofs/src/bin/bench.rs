//! `make bench`: measures costs, compared with a yardstick in the same run and with a bar. Exits with status 0 unless a
//! measurement failed. Unmet bars are only shown.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use vintedbot_proofs::bench::{self, Only};

/// Measures photos, people, start and rest, reads, events, the inbox, and watchers.
#[derive(Parser)]
struct Arguments {
    /// The Python interpreter with Pillow and imagehash.
    #[arg(long, env = "BENCH_PYTHON", default_value = "target/venv/bin/python")]
    python: PathBuf,
    #[command(subcommand)]
    part: Option<Part>,
}

#[derive(Subcommand)]
enum Part {
    /// Measures only search, which takes most of the time.
    Search,
    /// Compares jobs, schedules, events and reads on PostgreSQL and Redis with SQLite, and measures nothing else.
    Engines,
    /// Measures only sign-ins and authentication.
    People,
    /// Serves files as answers over bare gRPC; the measurement of reads starts it.
    #[command(hide = true)]
    Echo { answers: Vec<PathBuf> },
    /// Holds streams open in a separate process; the measurements of watchers start it.
    #[command(hide = true)]
    Watchers(bench::watchers::Options),
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ended = match arguments.part {
        Some(Part::Echo { answers }) => bench::echo::serve(&answers).await.map(|()| true),
        Some(Part::Watchers(options)) => bench::watchers::hold(&options).await.map(|()| true),
        Some(Part::Search) => bench::run(&arguments.python, Some(Only::Search)).await,
        Some(Part::Engines) => bench::run(&arguments.python, Some(Only::Engines)).await,
        Some(Part::People) => bench::run(&arguments.python, Some(Only::People)).await,
        None => bench::run(&arguments.python, None).await,
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
