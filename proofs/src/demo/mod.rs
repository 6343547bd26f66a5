//! The demo: the whole chain from photos to a published listing, written with the Rust SDK as a script's author would.
//!
//! `story` is what happens, `show` what is printed meanwhile, `film` the page with every step, `verdict` what the practice site's records say of it in the
//! end. The demo fails when the two differ in anything.

mod film;
mod show;
mod story;
mod verdict;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use crate::instance::{Browser, Instance, Practice, Setup};

/// What the demo can be told.
#[derive(Debug, Parser)]
#[command(name = "demo")]
pub struct Options {
    /// A folder with photos (JPEG, PNG, WebP, GIF), taken by name; without it some are made.
    #[arg(long, env)]
    photos: Option<PathBuf>,
    /// The title of the listing that is published.
    #[arg(long, env, default_value = "Sweat gris chiné, coupe droite")]
    title: String,
    /// A practice site that runs already; without it one is started.
    #[arg(long, env)]
    practice_url: Option<String>,
}

/// Plays the demo. True: everything was as it should be.
///
/// # Errors
///
/// It could not be played to its end.
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
        // What is left in the folder is what was printed: screenshots, the film and records.
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
        .context("no instance with a real Chromium, and the demo takes nothing else")?;
    println!("instance: {}", instance.url());

    let client = vintedbot_sdk::Client::builder(instance.url())
        .token_file(instance.token_file())
        .build()
        .await?;
    let mut told = story::Told::default();
    let end = story::tell(&mut told, &client, &site, options, folder).await;
    match film::write(&told, &client, folder).await {
        Ok(file) => println!("\nstep by step, with pictures: {}", file.display()),
        Err(error) if end.is_ok() => return Err(error.context("the film strip")),
        Err(error) => println!("\nno film strip: {error:#}"),
    }
    // Nobody acts any more when the records are read.
    instance.stop().await?;
    let verdict = verdict::judge(&told, end, &site, before).await?;
    verdict.print();
    Ok(verdict.is_right())
}

/// What has to be ended in the end.
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
