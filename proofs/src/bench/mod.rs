//! Benchmarks. Absolute times mean little on a shared machine. Therefore most measurements are compared with a
//! yardstick in the same run: Pillow for photos, plain SQLite and a bare gRPC server for reads, plain commits for jobs.
//!
//! Each measurement is a module that returns rows of the table. To add one, add a module and a line in [`measure`].

mod browser;
mod deliveries;
pub mod echo;
mod engines;
pub(crate) mod fixture;
mod idle;
mod inbox;
mod live;
mod load;
mod people;
mod photos;
pub(crate) mod process;
mod reads;
mod search;
mod start;
pub(crate) mod table;
pub mod watchers;
mod webhooks;
mod witness;

use std::path::Path;

use anyhow::{Result, bail};
use tokio::signal::unix::{SignalKind, signal};

use crate::instance::{Browser, Instance, Practice, Setup};
use table::Table;

/// The subject to measure if not all are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Only {
    Search,
    Engines,
    People,
}

/// Measures everything, or one subject only, and prints the table. Returns false if a measurement failed.
///
/// # Errors
///
/// Fails if no working folder can be created, or if the run is interrupted.
pub async fn run(python: &Path, only: Option<Only>) -> Result<bool> {
    if cfg!(debug_assertions) {
        println!("bench: this is a debug build, its figures mean nothing");
    }
    // Processes that are started from here on inherit the limit. Ten thousand connections need ten thousand files.
    process::raise_open_files();
    let folder = tempfile::Builder::new().prefix("vintedbot-bench-").tempdir()?;
    let mut table = Table::default();
    tokio::select! {
        () = measure(&mut table, python, folder.path(), only) => {}
        interrupted = interrupted() => {
            interrupted?;
            bail!("interrupted");
        }
    }
    println!("{table}");
    Ok(table.is_whole())
}

async fn measure(table: &mut Table, python: &Path, folder: &Path, only: Option<Only>) {
    match only {
        Some(Only::Search) => return table.add("search", search::measure(folder).await),
        Some(Only::Engines) => return table.add("engines", engines::measure(folder).await),
        Some(Only::People) => return table.add("people", people::measure(folder).await),
        None => {}
    }
    table.add("photos", photos::measure(python, folder).await);
    table.add("the browser", browser::measure(folder).await);
    table.add("search", search::measure(folder).await);
    table.add("engines", engines::measure(folder).await);
    table.add("people", people::measure(folder).await);
    if let Err(error) = measure_instance(table, folder).await {
        table.add("the instance", Err(error));
    }
}

/// Measures all subjects that need an instance, with one account and the number of listings of a very busy seller.
async fn measure_instance(table: &mut Table, folder: &Path) -> Result<()> {
    let practice = Practice::start(&folder.join("records.jsonl")).await?;
    let mut instance = Instance::new(Setup {
        data_dir: folder.join("data"),
        practice_url: practice.site.url().to_owned(),
        // The memory of Chromium, a separate program, must not be counted.
        browser: Browser::Off,
        settings: [
            ("SYNC_NOW_PER_MINUTE", "1000"),
            ("WEBHOOK_ALLOWED_NETWORKS", "127.0.0.0/8"),
            // The ten thousand watchers belong to one workspace and come from one address.
            ("MAX_CONNECTIONS", "20000"),
            ("MAX_CONNECTIONS_PER_ADDRESS", "20000"),
            ("MAX_CALLS_PER_WORKSPACE", "20000"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec(),
    })?;
    let database = folder.join("data/vintedbot.sqlite");
    let url = format!("sqlite://{}", database.display());
    instance.start().await?;
    let sample = fixture::sample(&fixture::client(&instance).await?).await?;
    instance.stop().await?;

    table.add("start and rest", start::measure(&mut instance).await);
    instance.stop().await?;

    let listings = fixture::fill(&database, &sample)?;
    let thread_id = inbox::fill(&database, &sample.account_id)?;
    instance.start().await?;
    table.add(
        "reads",
        reads::measure(&instance, &database, &listings, &thread_id, folder).await,
    );
    let client = fixture::client(&instance).await?;
    let store = fixture::store(&url).await?;
    let heard = live::measure("commit to watcher", (&client, &client), &store, &sample).await;
    table.add("events", heard.map(|row| vec![row]));
    drop(store);
    table.add(
        "the inbox",
        inbox::measure(&client, &practice.site, &database, &sample.account_id).await,
    );
    drop(client);
    table.add("webhooks", webhooks::measure(&instance, &database).await);
    table.add("deliveries", deliveries::measure(&instance, &sample).await);
    table.add("watchers", idle::measure(&mut instance, folder).await);
    instance.stop().await?;
    practice.stop().await
}

async fn interrupted() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed?,
        _ = terminate.recv() => {}
    }
    Ok(())
}
