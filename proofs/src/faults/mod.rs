//! Inputs that people really have, each with its right outcome, played to a running instance.
//!
//! `data/faults` contains the inputs; those whose name contains `control` were handled right before the others were.
//! Each area has a file here. To add an input: put it into the folder of its area and add a [`Case`] to the list.

mod cookies;
mod inbox;
mod listings;
mod names;
mod photos;

use std::fmt;
use std::path::{Path, PathBuf};
use std::pin::Pin;

use anyhow::{Context as _, Result, ensure};
use vintedbot_sdk::Client;
use vintedbot_sdk::v1::{Account, CreateAccountRequest, account};

use crate::cluster::Seller;
use crate::instance::{Browser, Instance, Practice, Setup};

/// The instance to which the inputs are played.
pub struct Stage {
    client: Client,
    practice: Practice,
    /// An account on the French market, connected, with a photo.
    seller: Seller,
    /// An account on the German market.
    german: Account,
}

type Played<'a> = Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

/// An input and its check. The check fails if the outcome is not the right one.
pub struct Case {
    name: &'static str,
    play: fn(&Stage) -> Played<'_>,
}

/// Makes a [`Case`] of a name and an async expression over the stage.
macro_rules! case {
    ($name:literal, |$stage:ident| $check:expr) => {
        $crate::faults::Case::new($name, |$stage| Box::pin($check))
    };
}
use case;

impl Case {
    const fn new(name: &'static str, play: fn(&Stage) -> Played<'_>) -> Self {
        Self { name, play }
    }
}

/// The number of inputs, and of those with the right outcome.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    inputs: usize,
    good: usize,
}

impl Report {
    /// Returns whether every input had its right outcome.
    #[must_use]
    pub const fn is_good(self) -> bool {
        self.inputs > 0 && self.good == self.inputs
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "faults: {} inputs, {} as they should be",
            self.inputs, self.good
        )
    }
}

/// Starts an instance in `folder` and plays every input to it.
///
/// # Errors
///
/// Fails if the instance does not start or its account is not connected.
pub async fn run(folder: &Path) -> Result<Report> {
    let practice = Practice::start(&folder.join("records.jsonl")).await?;
    let mut instance = Instance::new(Setup {
        data_dir: folder.join("data"),
        practice_url: practice.site.url().to_owned(),
        browser: Browser::Off,
        settings: [
            ("LOG", "warn"),
            ("BROWSER_PACING", "0s"),
            ("SYNC_NOW_PER_MINUTE", "1000"),
            ("IMPORTS_PER_HOUR", "1000"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into(),
    })?;
    instance.start().await?;
    let token = std::fs::read_to_string(instance.token_file())?;
    let client = Client::builder(instance.url())
        .token(token.trim())
        .build()
        .await?;
    let seller = Seller::start(&client, "Camille").await?;
    let request = CreateAccountRequest {
        display_name: "Katrin".to_owned(),
        market: "de".to_owned(),
        mode: Some(account::Mode::Mock.into()),
        ..Default::default()
    };
    let german = client.accounts().create(request).await?;
    let stage = Stage {
        client,
        practice,
        seller,
        german,
    };
    let mut report = Report::default();
    let areas = [
        photos::cases(),
        listings::cases(),
        names::cases(),
        inbox::cases(),
        cookies::cases(),
    ];
    for case in areas.into_iter().flatten() {
        report.inputs += 1;
        match (case.play)(&stage).await {
            Ok(()) => report.good += 1,
            Err(error) => println!("  {}: {error:#}", case.name),
        }
    }
    stage.practice.stop().await?;
    instance.stop().await?;
    Ok(report)
}

/// The path of an input.
fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("data/faults")
        .join(name)
}

fn bytes(name: &str) -> Result<Vec<u8>> {
    std::fs::read(path(name)).context(name.to_owned())
}

fn text(name: &str) -> Result<String> {
    std::fs::read_to_string(path(name)).context(name.to_owned())
}

/// Fails unless a call was refused with a message that contains all of `words`.
fn refused_with<T: fmt::Debug>(result: vintedbot_sdk::Result<T>, words: &[&str]) -> Result<()> {
    let Err(error) = result else {
        anyhow::bail!("it was accepted");
    };
    let message = error.to_string();
    for word in words {
        ensure!(message.contains(word), "{message:?} does not contain {word:?}");
    }
    Ok(())
}
