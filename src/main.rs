//! The `vintedbot` binary: command line and wiring, nothing else.

mod commands;
mod config;
mod instance;
mod logging;
mod mail;
mod metrics;
mod parts;
mod storage;
mod traces;

use clap::{Parser, Subcommand};
use rustix::fs::Mode;
use rustix::process::umask;

use commands::{
    migrate_store, practice, schedules, search, seed, selectors, serve, server, token, user, worker,
};

/// A self-hosted backend for running one's own seller account on the marketplace Vinted.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs everything in one process: server, worker and, unless PRACTICE_URL is set, the practice site.
    Serve(serve::Arguments),
    /// Runs only a server, beside workers of the same instance. Needs PostgreSQL.
    Server,
    /// Runs only a worker, beside servers of the same instance. Needs PostgreSQL.
    Worker(worker::Arguments),
    /// Runs only the practice site.
    Practice(practice::Arguments),
    /// Fills an instance with example data, the same each time.
    Seed,
    /// Creates an API token with every scope and writes it to the token file, if that was lost. The instance must be
    /// stopped.
    Token,
    /// Manages the people who sign in.
    #[command(subcommand)]
    User(user::Command),
    /// Moves an instance to another database, such as from SQLite to PostgreSQL.
    MigrateStore(migrate_store::Arguments),
    /// Shows and changes the schedules.
    #[command(subcommand)]
    Schedules(schedules::Command),
    /// Maintains the search index.
    #[command(subcommand)]
    Search(search::Command),
    /// Checks which of the site's elements are found on a page.
    #[command(subcommand)]
    Selectors(selectors::Command),
}

fn main() -> std::process::ExitCode {
    // Must run before any thread starts.
    if let Some(code) = vintedbot_connector::run_as_host(std::env::args_os()) {
        return code;
    }
    let cli = Cli::parse();
    // Photos, screenshots, records and browser files must not be readable by other users, wherever they are stored.
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
            Command::User(command) => user::run(command).await,
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
