//! `vintedbot seed`: fills an instance with a believable wardrobe, the same each time.
//!
//! Nothing is faked: accounts, photos and listings go in through the domain, and what is published, cancelled or stopped
//! went the way of every job, on the practice site, by a worker without a browser. A new garment: an entry in
//! [`wardrobe`]; a new fate for one: a variant of [`Fate`] and its line in `Seeding::meet`.

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
use vintedbot_domain::{Domain, catalog};
use vintedbot_marketplace::Money;

use crate::config::Config;
use crate::parts::site;
use rehearsal::Rehearsal;
use script::Site;
use wardrobe::{Fate, Garment, SELLERS};

/// Fills the instance that the settings name.
pub async fn run() -> Result<()> {
    let config = Config::load()?;
    let instance = crate::instance::open(&config, config.settings()).await?;
    let practice = site::start_practice(&config).await?;
    let practice_url = site::practice_url(&config, practice.as_ref());
    let filled = fill(
        &config,
        &instance.domain,
        &instance.started.owner_id,
        &practice_url,
    )
    .await?;
    if let Some(practice) = practice {
        practice.stop().await?;
    }
    if !filled {
        let half = told_if_half(&config).map_or_else(String::new, |half| format!("; {half}"));
        bail!("the instance has accounts already; nothing was changed{half}");
    }
    println!("filled {}", config.data_dir.display());
    Ok(())
}

/// A file that is there from when the instance is to be filled until it is.
fn mark(config: &Config) -> PathBuf {
    config.data_dir.join("seeding")
}

/// Writes down that the instance is to be filled, before anything can cut that off.
pub fn begin(config: &Config) -> Result<()> {
    let mark = mark(config);
    std::fs::write(&mark, "").with_context(|| mark.display().to_string())
}

/// Whether the instance was to be filled, and that did not come to its end.
pub fn is_begun(config: &Config) -> bool {
    mark(config).exists()
}

/// What to say where filling was cut off: what is there is whole, each for itself, but not all of it.
pub fn told_if_half(config: &Config) -> Option<String> {
    is_begun(config).then(|| {
        format!(
            "the example data is incomplete, since filling was cut off; an instance with an empty folder and database of its own gets \
             all of it; remove {} to hear no more of this",
            mark(config).display()
        )
    })
}

/// Fills an open instance, unless it has accounts. Answers whether it did.
pub async fn fill(config: &Config, domain: &Domain, owner_id: &str, practice_url: &str) -> Result<bool> {
    let caller = Caller {
        owner_id: owner_id.to_owned(),
        token_id: String::new(),
        scopes: Scopes::all(),
        expire_time: None,
    };
    if !rehearsal::has_no_accounts(domain, &caller).await? {
        return Ok(false);
    }
    begin(config)?;
    let rehearsal = Rehearsal::start(config, domain, practice_url).await?;
    let seeding = Seeding {
        domain: rehearsal.domain.clone(),
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
    domain: Domain,
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
                self.meet(&account, garment, &listing_id)
                    .await
                    .with_context(|| garment.title.to_owned())?;
            }
        }
        self.site.recall_buyers(SELLERS.len()).await
    }

    /// Makes an account and waits until its site's catalogue has been read.
    async fn account(&self, seller: &wardrobe::Seller) -> Result<Account> {
        let new = NewAccount {
            display_name: seller.name.to_owned(),
            market: seller.market.to_owned(),
            language: seller.language.to_owned(),
            mode: Some(Mode::Mock),
            request_id: None,
        };
        let account = accounts::create(&self.domain, &self.caller, new).await?;
        self.rehearsal
            .until("the practice site's catalogue", async || {
                let account = accounts::get(&self.domain, &self.caller, &account.id).await?;
                Ok(account.member_id.is_some() && catalog::of_account(&self.domain, &account).await.is_ok())
            })
            .await?;
        Ok(accounts::get(&self.domain, &self.caller, &account.id).await?)
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
        Ok(listings::create(&self.domain, &self.caller, new).await?.id)
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
        let uploaded = media::upload_many(&self.domain, &self.caller, new, None).await?;
        Ok(uploaded.into_iter().map(|uploaded| uploaded.photo.id).collect())
    }

    /// Brings a listing to where its garment is to stand.
    async fn meet(&self, account: &Account, garment: &Garment, listing_id: &str) -> Result<()> {
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
                publishing::cancel(&self.domain, &self.caller, &job_id, None).await?;
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
            hand_over: None,
            request_id: None,
        };
        Ok(publishing::prepare(&self.domain, &self.caller, prepare).await?.id)
    }

    async fn prepared(&self, listing_id: &str) -> Result<String> {
        let job_id = self.prepare(listing_id).await?;
        self.reach(&job_id, State::AwaitingConfirmation).await?;
        Ok(job_id)
    }

    async fn confirm(&self, job_id: &str) -> Result<()> {
        let token = publishing::confirm_token(&self.domain, &self.caller, job_id).await?;
        let (token, _) = token.context("the job does not await its confirmation")?;
        let confirm = Confirm {
            job_id: job_id.to_owned(),
            token,
            dry_run: false,
            request_id: None,
        };
        publishing::confirm(&self.domain, &self.caller, confirm).await?;
        Ok(())
    }

    async fn reach(&self, job_id: &str, state: State) -> Result<()> {
        self.rehearsal
            .until("a publish job", async || self.is(job_id, state).await)
            .await
    }

    /// Whether a job is in that state. One that has ended in another will never be.
    async fn is(&self, job_id: &str, state: State) -> Result<bool> {
        let job = publishing::get(&self.domain, &self.caller, job_id).await?;
        if job.state != state && (job.state.has_ended() || job.state == State::Blocked) {
            bail!(
                "a publish job is {:?} and not {state:?}: {}",
                job.state,
                job.message
            );
        }
        Ok(job.state == state)
    }
}
