//! `make bench`: what things cost, each beside a yardstick that is measured in the same run, and beside its bar.
//! Ends with status 0 unless something could not be measured; whether a bar is met is for the reader to see.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use vintedbot_proofs::bench::{self, Only};

/// Measures photos, start and rest, reads, events, the inbox, and watchers.
#[derive(Parser)]
struct Arguments {
    /// The Python that has Pillow and imagehash.
    #[arg(long, env = "BENCH_PYTHON", default_value = "target/venv/bin/python")]
    python: PathBuf,
    #[command(subcommand)]
    part: Option<Part>,
}

#[derive(Subcommand)]
enum Part {
    /// Measures only search, which takes most of the time.
    Search,
    /// Measures only jobs, schedules, events and reads on PostgreSQL and Redis beside SQLite.
    Engines,
    /// Serves files as answers over bare gRPC; started by the measurement of reads.
    #[command(hide = true)]
    Echo { answers: Vec<PathBuf> },
    /// Holds streams open, in a process of its own; started by the measurements of watchers.
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
