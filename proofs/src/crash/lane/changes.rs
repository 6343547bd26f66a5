//! A lane that changes items on the site: it creates the items there, imports them, and changes one after another.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use futures::TryStreamExt as _;
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};
use vintedbot_domain::ids::{Ids as _, SystemIds};
use vintedbot_sdk::v1::publish_job::State;
use vintedbot_sdk::v1::{ListListingsRequest, Listing, wardrobe_import};

use super::{LOOK_EVERY, Lane};
use crate::crash::changing::{Cancelled, Ended, Outcome, is_reached};
use crate::crash::listing::{Observed, Run};
use crate::crash::plan::{Cell, Script, What};
use crate::instance::Browser;
use crate::records::Site;

/// How long the site delays the answer for the current user, which is the last request before the intent; shorter than
/// the longest request.
const HELD_MS: u64 = 500;

/// An unchanged item on the site.
pub struct Item {
    listing_id: String,
    item_id: u64,
    word: String,
}

impl<'a> Lane<'a> {
    /// Starts an instance whose account has `count` items on the site, and measures the usual duration of a change.
    pub async fn open_for_changes(
        folder: &Path,
        site: &'a Site,
        failpoints: &str,
        count: usize,
    ) -> Result<(Self, Vec<Item>)> {
        let mut lane = Self::bare(folder, site, Browser::Off, failpoints).await?;
        let mut items = lane.wardrobe(count + 1).await?;
        let calm = Cell {
            word: String::new(),
            what: What::Price,
            dry_run: true,
            script: Script::Nothing,
            kills: Vec::new(),
        };
        let first = items.pop().context("there is no item")?;
        match lane.change(&calm, first).await?.ended {
            Ended::Done => Ok((lane, items)),
            other => bail!("a change without kills was not made: {other:?}"),
        }
    }

    async fn wardrobe(&self, count: usize) -> Result<Vec<Item>> {
        let client = &self.victim.client;
        let account = client.accounts().get(&self.account_id).await?;
        let member_id: u64 = account.member_id.parse()?;
        let mut words = Vec::with_capacity(count);
        for _ in 0..count {
            let id = SystemIds.id();
            let word = format!("i{}", &id[id.len() - 12..]);
            let item = json!({
                "title": format!("Pull bleu {word}"),
                "description": "Porté deux fois.",
                "price": "15.00",
                "currency": "EUR",
                "catalog_id": 7001,
                "brand_id": 53,
                "package_size_id": 1,
                "color_ids": [2],
                "item_attributes": [{"code": "size", "ids": [205]}, {"code": "condition", "ids": [3]}],
            });
            let body = json!({"member_id": member_id, "item": item, "photos": 1});
            self.site.put_item(&body).await?;
            words.push(word);
        }
        let import = client.wardrobe().import(&self.account_id).await?;
        let ended = async {
            loop {
                let import = client.wardrobe().get(&import.id).await?;
                if import.end_time.is_some() {
                    return Ok::<_, anyhow::Error>(import);
                }
                sleep(LOOK_EVERY).await;
            }
        };
        let import = timeout(self.limit, ended)
            .await
            .context("the wardrobe was not read in time")??;
        ensure!(import.state() == wardrobe_import::State::Done, "{import:?}");
        let request = ListListingsRequest {
            account_id: self.account_id.clone(),
            ..Default::default()
        };
        let listings: Vec<Listing> = client.listings().list(request).try_collect().await?;
        let mut items = Vec::with_capacity(count);
        for word in words {
            let listing = listings.iter().find(|listing| listing.title.ends_with(&word));
            let listing = listing.with_context(|| format!("{word} was not imported"))?;
            let remote = listing
                .remote
                .as_ref()
                .context("the listing is not on the site")?;
            items.push(Item {
                listing_id: listing.id.clone(),
                item_id: remote.item_id.parse()?,
                word,
            });
        }
        Ok(items)
    }

    /// Runs one change through its kills.
    pub async fn change(&mut self, cell: &Cell, item: Item) -> Result<Outcome> {
        let Item {
            listing_id,
            item_id,
            word,
        } = item;
        // The site's script identifies the item by its title.
        let cell = Cell { word, ..cell.clone() };
        if let Some(rule) = cell.script.rule(cell.what, &cell.word) {
            self.site.add_rule(&rule).await?;
        }
        self.arm_first(&cell, is_reached).await?;
        let mut run = Run::new(&cell, listing_id, Instant::now() + self.limit);
        let job = self.drive(&mut run).await?;
        let ended = match &job {
            None => Ended::Neither(format!("not in time; {}", run.trouble)),
            Some(job) if job.state() == State::Done => Ended::Done,
            Some(job) if job.state() == State::Unconfirmed && job.requires_action => {
                let publish = self.victim.client.publish();
                publish.resolve_not_published(&job.id).await?;
                Ended::Asked
            }
            Some(job) => Ended::Neither(format!("{}: {}", job.state().as_str_name(), job.reason_message)),
        };
        let (kills, missed) = (run.done.len(), std::mem::take(&mut run.missed));
        Ok(Outcome {
            cell,
            item_id,
            kills,
            missed,
            ended,
        })
    }

    /// Confirms a change, and cancels it while the worker waits for its last request before the intent.
    pub async fn cancel_before_intent(&mut self, what: What, item: Item) -> Result<Cancelled> {
        let Item {
            listing_id,
            item_id,
            word,
        } = item;
        let cell = Cell {
            word,
            what,
            dry_run: true,
            script: Script::Nothing,
            kills: Vec::new(),
        };
        self.arm(None).await?;
        let member_id = self
            .victim
            .client
            .accounts()
            .get(&self.account_id)
            .await?
            .member_id;
        let mut run = Run::new(&cell, listing_id, Instant::now() + self.limit);
        let mut asked_before = None;
        let state = loop {
            ensure!(
                Instant::now() < run.deadline,
                "the job did not end in time: {}",
                run.trouble
            );
            match run.look(&self.victim).await? {
                Observed::ToConfirm(confirmation) => {
                    let rule = json!({
                        "on": "current_user",
                        "member": member_id.parse::<u64>()?,
                        "times": 1,
                        "do": {"latency_ms": HELD_MS},
                    });
                    asked_before = Some(self.struck().await?);
                    self.site.add_rule(&rule).await?;
                    run.confirmation = Some(confirmation);
                }
                Observed::Ended(job) => break job.state().as_str_name(),
                Observed::Going => {}
            }
            if let Some(before) = asked_before
                && self.struck().await? > before
            {
                asked_before = None;
                let job_id = run.job_id().context("the job is not known")?.to_owned();
                self.victim.client.publish().cancel(&job_id).await?;
            }
            sleep(Duration::from_millis(10)).await;
        };
        Ok(Cancelled { what, item_id, state })
    }

    /// Returns how often the rules for the current user were applied.
    async fn struck(&self) -> Result<u64> {
        let rules = self.site.rules().await?;
        let of = rules.iter().filter(|rule| rule["on"] == "current_user");
        Ok(of.filter_map(|rule| rule["struck"].as_u64()).sum())
    }
}
