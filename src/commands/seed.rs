//! `vintedbot seed`: fills an instance with example data, the same each time.
//!
//! Accounts, photos and listings are created through the domain. Jobs that are published, cancelled or stopped run on
//! the practice site, executed by a worker without a browser. A new garment is an entry in [`wardrobe`]; a new outcome
//! is a variant of [`Fate`] and its arm in `Seeding::reach_fate`.

mod person;
mod picture;
mod rehearsal;
mod script;
mod wardrobe;

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use serde_json::json;
use vintedbot_domain::accounts::{self, Account, Mode, NewAccount};
use vintedbot_domain::identity::{Caller, Scopes};
use vintedbot_domain::listings::{self, ListingInput, NameOrId, NewListing};
use vintedbot_domain::media::{self, NewPhoto};
use vintedbot_domain::publishing::{self, Confirm, Prepare, State};
use vintedbot_domain::{Context, catalog};
use vintedbot_marketplace::Money;

use crate::config::Config;
use crate::parts::site;
pub use person::{DEMO_EMAIL, demo_person};
use rehearsal::Rehearsal;
use script::Site;
use wardrobe::{Fate, Garment, SELLERS};

/// Fills the configured instance.
pub async fn run() -> Result<()> {
    let config = Config::load()?;
    let instance = crate::instance::open(&config, config.settings()).await?;
    let practice = site::start_practice(&config).await?;
    let practice_url = site::practice_url(&config, practice.as_ref());
    let filled = fill(
        &config,
        &instance.context,
        &instance.started.workspace_id,
        &practice_url,
    )
    .await?;
    if let Some(practice) = practice {
        practice.stop().await?;
    }
    if !filled {
        let half = told_if_half(&config).map_or_else(String::new, |half| format!("; {half}"));
        bail!("the instance already has accounts; nothing was changed{half}");
    }
    println!("filled {}", config.data_dir.display());
    Ok(())
}

/// Returns the path of the marker file, which exists while seeding has begun and not ended.
fn mark(config: &Config) -> PathBuf {
    config.data_dir.join("seeding")
}

/// Creates the marker file before any data is written.
pub fn begin(config: &Config) -> Result<()> {
    let mark = mark(config);
    std::fs::write(&mark, "").with_context(|| mark.display().to_string())
}

/// Returns whether seeding has begun and not ended.
pub fn is_begun(config: &Config) -> bool {
    mark(config).exists()
}

/// Returns a message if seeding was interrupted. Each existing record is complete, but some records are missing.
pub fn told_if_half(config: &Config) -> Option<String> {
    is_begun(config).then(|| {
        format!(
            "the example data is incomplete, because seeding was interrupted; to get all of it, start an instance with \
             an empty data folder and database; to remove this message, delete {}",
            mark(config).display()
        )
    })
}

/// Fills an open instance, unless it has accounts. Returns whether it did.
pub async fn fill(
    config: &Config,
    context: &Context,
    workspace_id: &str,
    practice_url: &str,
) -> Result<bool> {
    let caller = Caller {
        workspace_id: workspace_id.to_owned(),
        credential_id: String::new(),
        person: None,
        scopes: Scopes::all(),
        expire_time: None,
    };
    if !rehearsal::has_no_accounts(context, &caller).await? {
        return Ok(false);
    }
    begin(config)?;
    let rehearsal = Rehearsal::start(config, context, practice_url).await?;
    let seeding = Seeding {
        context: rehearsal.context.clone(),
        caller,
        rehearsal,
        site: Site::at(practice_url)?,
    };
    let result = seeding.all().await;
    seeding.rehearsal.stop().await?;
    result?;
    let mark = mark(config);
    std::fs::remove_file(&mark).with_context(|| mark.display().to_string())?;
    Ok(true)
}

struct Seeding {
    context: Context,
    caller: Caller,
    rehearsal: Rehearsal,
    site: Site,
}

impl Seeding {
    async fn all(&self) -> Result<()> {
        for (at, seller) in SELLERS.iter().enumerate() {
            let account = self.account(seller).await?;
            for (number, garment) in seller.garments.iter().enumerate() {
                let listing_id = self.listing(&account, garment, at * 100 + number).await?;
                self.reach_fate(&account, garment, &listing_id)
                    .await
                    .with_context(|| garment.title.to_owned())?;
            }
        }
        self.site.recall_buyers(SELLERS.len()).await
    }

    /// Creates an account and waits until its site's catalogue has been read.
    async fn account(&self, seller: &wardrobe::Seller) -> Result<Account> {
        let new = NewAccount {
            display_name: seller.name.to_owned(),
            market: seller.market.to_owned(),
            language: seller.language.to_owned(),
            mode: Some(Mode::Mock),
            request_id: None,
            second_account_acknowledged: true,
        };
        let account = accounts::create(&self.context, &self.caller, new).await?;
        self.rehearsal
            .until("the practice site's catalogue", async || {
                let account = accounts::get(&self.context, &self.caller, &account.id).await?;
                Ok(account.member_id.is_some() && catalog::of_account(&self.context, &account).await.is_ok())
            })
            .await?;
        Ok(accounts::get(&self.context, &self.caller, &account.id).await?)
    }

    async fn listing(&self, account: &Account, garment: &Garment, number: usize) -> Result<String> {
        let photos = self.photos(garment, number).await?;
        let name = |name: &&str| NameOrId::Name((*name).to_owned());
        let listing = ListingInput {
            title: garment.title.to_owned(),
            description: garment.description.to_owned(),
            price: garment.price.map(|minor_units| Money {
                minor_units,
                currency: String::new(),
            }),
            category: garment.category.as_ref().map(name),
            brand: garment.brand.as_ref().map(name),
            size: garment.size.as_ref().map(name),
            condition: garment.condition.as_ref().map(name),
            colors: garment.colors.iter().map(name).collect(),
            materials: garment.materials.iter().map(name).collect(),
            package_size: garment.package_size.as_ref().map(name),
            photo_ids: photos,
        };
        let new = NewListing {
            account_id: account.id.clone(),
            listing,
            request_id: None,
        };
        Ok(listings::create(&self.context, &self.caller, new).await?.id)
    }

    async fn photos(&self, garment: &Garment, number: usize) -> Result<Vec<String>> {
        if garment.photos == 0 {
            return Ok(Vec::new());
        }
        let drawings = (0..garment.photos).map(|view| {
            let look = garment.look;
            tokio::task::spawn_blocking(move || picture::draw(&look, view, number))
        });
        let mut new = Vec::new();
        for (view, drawing) in drawings.collect::<Vec<_>>().into_iter().enumerate() {
            let file_name = format!("IMG_{:04}.jpg", 1_200 + number * 10 + view);
            new.push(NewPhoto {
                bytes: drawing.await??.into(),
                file_name,
            });
        }
        let uploaded = media::upload_many(&self.context, &self.caller, new, None).await?;
        Ok(uploaded.into_iter().map(|uploaded| uploaded.photo.id).collect())
    }

    /// Brings a listing into the state of its garment's fate.
    async fn reach_fate(&self, account: &Account, garment: &Garment, listing_id: &str) -> Result<()> {
        match garment.fate {
            Fate::Draft => {}
            Fate::Published => {
                let job_id = self.prepared(listing_id).await?;
                self.confirm(&job_id).await?;
                self.reach(&job_id, State::Published).await?;
            }
            Fate::AwaitingConfirmation => {
                self.prepared(listing_id).await?;
            }
            Fate::Cancelled => {
                let job_id = self.prepared(listing_id).await?;
                publishing::cancel(&self.context, &self.caller, &job_id, None).await?;
            }
            Fate::Expired => {
                let job_id = self.prepare(listing_id).await?;
                self.rehearsal
                    .hurry(async || self.is(&job_id, State::Expired).await)
                    .await?;
            }
            Fate::Failed { refusal } => {
                let reject = json!({"field": "title", "value": refusal});
                let title = garment.title;
                let rule =
                    json!({"on": "publish", "title_contains": title, "times": 1, "do": {"reject": reject}});
                self.site.misbehave(&rule).await?;
                let job_id = self.prepared(listing_id).await?;
                self.confirm(&job_id).await?;
                self.reach(&job_id, State::Failed).await?;
            }
            Fate::Blocked => {
                let member: u64 = account.member_id.as_deref().unwrap_or_default().parse()?;
                let rule = json!({"on": "photo", "member": member, "times": 1, "do": "captcha_page"});
                self.site.misbehave(&rule).await?;
                let job_id = self.prepare(listing_id).await?;
                self.reach(&job_id, State::Blocked).await?;
            }
        }
        Ok(())
    }

    async fn prepare(&self, listing_id: &str) -> Result<String> {
        let prepare = Prepare {
            listing_id: listing_id.to_owned(),
            dry_run: true,
            manual_takeover: None,
            request_id: None,
        };
        Ok(publishing::prepare(&self.context, &self.caller, prepare)
            .await?
            .id)
    }

    async fn prepared(&self, listing_id: &str) -> Result<String> {
        let job_id = self.prepare(listing_id).await?;
        self.reach(&job_id, State::AwaitingConfirmation).await?;
        Ok(job_id)
    }

    async fn confirm(&self, job_id: &str) -> Result<()> {
        let token = publishing::confirm_token(&self.context, &self.caller, job_id).await?;
        let (token, _) = token.context("the job does not await its confirmation")?;
        let confirm = Confirm {
            job_id: job_id.to_owned(),
            token,
            dry_run: false,
            request_id: None,
        };
        publishing::confirm(&self.context, &self.caller, confirm).await?;
        Ok(())
    }

    async fn reach(&self, job_id: &str, state: State) -> Result<()> {
        self.rehearsal
            .until("a publish job", async || self.is(job_id, state).await)
            .await
    }

    /// Returns whether a job is in the state. Fails if the job has ended in another state.
    async fn is(&self, job_id: &str, state: State) -> Result<bool> {
        let job = publishing::get(&self.context, &self.caller, job_id).await?;
        if job.state != state && (job.state.has_ended() || job.state == State::Blocked) {
            bail!(
                "a publish job is {:?} instead of {state:?}: {}",
                job.state,
                job.message
            );
        }
        Ok(job.state == state)
    }
}
