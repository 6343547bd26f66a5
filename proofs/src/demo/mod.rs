//! The demo: the whole way from photos to a published listing, written with the Rust SDK like a user's script.
//!
//! `story` runs the steps, `show` prints the events at the same time, `timeline` writes a page with every step, and
//! `verdict` compares the outcome with the practice site's records. The demo fails if the two differ.

mod show;
mod story;
mod timeline;
mod verdict;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use crate::instance::{Browser, Instance, Practice, Setup};

/// The options of the demo.
#[derive(Debug, Parser)]
#[command(name = "demo")]
pub struct Options {
    /// A folder with photos (JPEG, PNG, WebP, GIF), used in the order of their names. By default, photos are generated.
    #[arg(long, env)]
    photos: Option<PathBuf>,
    /// The title of the listing that is published.
    #[arg(long, env, default_value = "Sweat gris chiné, coupe droite")]
    title: String,
    /// The URL of a running practice site. By default, one is started.
    #[arg(long, env)]
    practice_url: Option<String>,
}

/// Runs the demo. Returns true if everything is as expected.
///
/// # Errors
///
/// Fails if the demo could not run to its end.
pub async fn run(options: Options) -> Result<bool> {
    let folder = tempfile::Builder::new()
        .prefix("vintedbot-demo-")
        .tempdir()?
        .keep();
    let mut stage = Stage::default();
    let played = tokio::select! {
        played = play(&mut stage, &options, &folder) => played,
        interrupted = interrupted() => interrupted.and_then(|()| bail!("interrupted")),
    };
    let log = stage.instance.as_ref().map(Instance::log_file);
    let ended = stage.end().await;
    if let (Err(_) | Ok(false), Some(log)) = (&played, log) {
        println!("the instance's log: {}", log.display());
    }
    let is_right = played?;
    ended?;
    if is_right {
        // The folder keeps only the printed results: screenshots, the step timeline and records.
        tokio::fs::remove_dir_all(folder.join("data")).await?;
    }
    Ok(is_right)
}

async fn play(stage: &mut Stage, options: &Options, folder: &Path) -> Result<bool> {
    let practice = match options.practice_url.as_deref().filter(|url| !url.is_empty()) {
        Some(url) => Practice::at(url).await?,
        None => Practice::start(&folder.join("records.jsonl")).await?,
    };
    let site = stage.practice.insert(practice).site.clone();
    println!("practice site: {}", site.url());
    let before = site.last_seq().await?;

    let setup = Setup {
        data_dir: folder.join("data"),
        practice_url: site.url().to_owned(),
        browser: Browser::Required,
        settings: Vec::new(),
    };
    let instance = stage.instance.insert(Instance::new(setup)?);
    instance
        .start()
        .await
        .context("no instance with a real Chromium; the demo requires it")?;
    println!("instance: {}", instance.url());

    let client = vintedbot_sdk::Client::builder(instance.url())
        .token_file(instance.token_file())
        .build()
        .await?;
    let mut progress = story::Progress::default();
    let end = story::run(&mut progress, &client, &site, options, folder).await;
    match timeline::write(&progress, &client, folder).await {
        Ok(file) => println!("\nstep timeline with pictures: {}", file.display()),
        Err(error) if end.is_ok() => return Err(error.context("cannot write the step timeline")),
        Err(error) => println!("\ncannot write the step timeline: {error:#}"),
    }
    // The instance is stopped first, so that the records are complete.
    instance.stop().await?;
    let verdict = verdict::judge(&progress, end, &site, before).await?;
    verdict.print();
    Ok(verdict.is_right())
}

/// The processes to end after the demo.
#[derive(Default)]
struct Stage {
    practice: Option<Practice>,
    instance: Option<Instance>,
}

impl Stage {
    async fn end(self) -> Result<()> {
        let mut ended = Ok(());
        if let Some(mut instance) = self.instance {
            ended = instance.stop().await;
            instance.end_leftovers();
        }
        if let Some(practice) = self.practice {
            ended = ended.and(practice.stop().await);
        }
        ended
    }
}

async fn interrupted() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed?,
        _ = terminate.recv() => {}
    }
    Ok(())
}
