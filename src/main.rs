//! The `vintedbot` binary: command line and wiring, nothing else.

mod commands;
mod config;
mod instance;
mod logging;
mod metrics;
mod parts;
mod storage;
mod traces;

use clap::{Parser, Subcommand};
use rustix::fs::Mode;
use rustix::process::umask;

use commands::{migrate_store, practice, schedules, search, seed, selectors, serve, server, token, worker};

/// A self-hosted backend with which a seller runs their own account on the marketplace Vinted.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs everything in one process: server, worker and, in mock mode, the practice site.
    Serve(serve::Arguments),
    /// Runs a server alone, beside workers of the same instance. Needs PostgreSQL.
    Server,
    /// Runs a worker alone, beside servers of the same instance. Needs PostgreSQL.
    Worker(worker::Arguments),
    /// Runs the practice site alone.
    Practice(practice::Arguments),
    /// Fills an instance with believable data, the same each time.
    Seed,
    /// Makes an API token with every scope and writes it to the token file, where that was lost. Needs the instance stopped.
    Token,
    /// Moves an instance to another database, such as from SQLite to PostgreSQL.
    MigrateStore(migrate_store::Arguments),
    /// Shows and changes what runs by itself.
    #[command(subcommand)]
    Schedules(schedules::Command),
    /// Makes what finds things anew.
    #[command(subcommand)]
    Search(search::Command),
    /// Looks which of the site's elements are found on a page.
    #[command(subcommand)]
    Selectors(selectors::Command),
}

fn main() -> std::process::ExitCode {
    // Before anything makes a thread.
    if let Some(code) = vintedbot_connector::run_as_host(std::env::args_os()) {
        return code;
    }
    let cli = Cli::parse();
    // Photos, screenshots, records and what a browser writes are for no other user of the machine, wherever they are kept.
    umask(Mode::RWXG | Mode::RWXO);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("vintedbot: {error}");
            return std::process::ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(async {
        match cli.command {
            Command::Serve(arguments) => serve::run(arguments).await,
            Command::Server => server::run().await,
            Command::Worker(arguments) => worker::run(arguments).await,
            Command::Practice(arguments) => practice::run(arguments).await,
            Command::Seed => seed::run().await,
            Command::Token => token::run().await,
            Command::MigrateStore(arguments) => migrate_store::run(arguments).await,
            Command::Schedules(command) => schedules::run(command).await,
            Command::Search(command) => search::run(command).await,
            Command::Selectors(command) => selectors::run(command).await,
        }
    });
    match result {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("vintedbot: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}
