//! Creates events through public calls.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::TryStreamExt as _;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use vintedbot_sdk::v1::{CreateAccountRequest, LabelThreadsRequest, ListThreadsRequest, account};
use vintedbot_sdk::v1::{CreateListingRequest, ListingInput, Template, UpdateTemplateRequest};
use vintedbot_sdk::{Client, mask};

use crate::records::Site;

/// The number of makers, and the events that each makes per second.
const MAKERS: usize = 4;
const EACH_PER_SECOND: u64 = 60;
/// The number of threads in the inbox of the first account.
const THREADS: usize = 20;
/// One in this many events is about the quiet thread.
const QUIET_EVERY: u64 = 250;
/// The time limit until an account is connected and has its threads.
const COMES_WITHIN: Duration = Duration::from_secs(60);

/// The resources that the events are about.
#[derive(Clone, Debug)]
pub struct Scene {
    account_ids: Vec<String>,
    template_ids: Vec<String>,
    thread_ids: Vec<String>,
}

impl Scene {
    /// Creates accounts, templates, and an inbox with threads.
    pub async fn set(client: &Client, site: &Site) -> Result<Self> {
        let (mut account_ids, mut template_ids) = (Vec::new(), Vec::new());
        for number in 0..MAKERS {
            let template = client
                .templates()
                .create(format!("Template {number}"), "Bonjour {{person}}")
                .await
                .context("cannot create a template")?;
            template_ids.push(template.id);
            let seller = CreateAccountRequest {
                display_name: format!("Seller {number}"),
                market: "fr".into(),
                mode: Some(account::Mode::Mock.into()),
                ..Default::default()
            };
            account_ids.push(client.accounts().create(seller).await?.id);
        }
        let threads = timeout(COMES_WITHIN, threads(client, site, &account_ids[0]));
        let thread_ids = threads.await.context("the threads did not arrive in time")??;
        ensure!(thread_ids.len() == THREADS, "{} threads", thread_ids.len());
        Ok(Self {
            account_ids,
            template_ids,
            thread_ids,
        })
    }

    /// Returns the account of every fourth listing, which also has the inbox.
    pub fn account_id(&self) -> &str {
        &self.account_ids[0]
    }

    /// Returns a thread with many events.
    pub fn busy_thread_id(&self) -> &str {
        &self.thread_ids[1]
    }

    /// Returns a thread with few events.
    pub fn quiet_thread_id(&self) -> &str {
        &self.thread_ids[0]
    }
}

async fn threads(client: &Client, site: &Site, account_id: &str) -> Result<Vec<String>> {
    let member_id = loop {
        let account = client.accounts().get(account_id).await?;
        if let Ok(member_id) = account.member_id.parse::<u64>() {
            break member_id;
        }
        sleep(Duration::from_millis(50)).await;
    };
    let many = json!({"member_id": member_id, "count": THREADS, "messages": 2});
    site.post("conversations/many", &many).await?;
    client.inbox().sync_now(account_id).await?;
    let threads: Vec<_> = client
        .inbox()
        .list(ListThreadsRequest::default())
        .try_collect()
        .await?;
    Ok(threads.into_iter().map(|thread| thread.id).collect())
}

/// The running makers.
pub struct Driver {
    ended: CancellationToken,
    makers: JoinSet<()>,
}

impl Driver {
    /// Starts the makers.
    pub fn start(client: &Client, scene: &Scene) -> Self {
        let ended = CancellationToken::new();
        let mut makers = JoinSet::new();
        for number in 0..MAKERS {
            let maker = Maker {
                client: client.clone(),
                scene: scene.clone(),
                number,
            };
            makers.spawn(maker.make(ended.clone()));
        }
        Self { ended, makers }
    }

    /// Stops after every call in flight was answered.
    pub async fn stop(mut self) -> Result<()> {
        self.ended.cancel();
        while let Some(made) = self.makers.join_next().await {
            made?;
        }
        Ok(())
    }
}

struct Maker {
    client: Client,
    scene: Scene,
    number: usize,
}

impl Maker {
    async fn make(self, ended: CancellationToken) {
        let mut ticks = interval(Duration::from_micros(1_000_000 / EACH_PER_SECOND));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut count = 0_u64;
        loop {
            tokio::select! {
                () = ended.cancelled() => return,
                _ = ticks.tick() => {}
            }
            count += 1;
            // The mix gives every kind of filter something to pass and something to drop. Every event is different.
            let made = if self.number == 0 && count % QUIET_EVERY == 1 {
                let quiet = self.scene.quiet_thread_id();
                let inbox = self.client.inbox();
                inbox.set_note(quiet, format!("Note {count}")).await.map(drop)
            } else if count.is_multiple_of(3) {
                self.list(count).await
            } else if count % 6 == 1 {
                self.shelve(count).await
            } else {
                self.write(count).await
            };
            // If a server is away for longer than the retries of a call, no event is made. This loses nothing.
            if let Err(error) = made {
                tracing::debug!(%error, "cannot create an event");
            }
        }
    }

    async fn list(&self, count: u64) -> vintedbot_sdk::Result<()> {
        let listing = ListingInput {
            title: format!("Sweat {} {count}", self.number),
            ..Default::default()
        };
        let request = CreateListingRequest {
            account_id: self.scene.account_ids[self.number].clone(),
            listing: Some(listing),
            ..Default::default()
        };
        self.client.listings().create(request).await.map(drop)
    }

    async fn write(&self, count: u64) -> vintedbot_sdk::Result<()> {
        let request = UpdateTemplateRequest {
            id: self.scene.template_ids[self.number].clone(),
            template: Some(Template {
                text: format!("Bonjour {{{{person}}}}, {count}"),
                ..Default::default()
            }),
            update_mask: Some(mask(["text"])),
            ..Default::default()
        };
        self.client.templates().update(request).await.map(drop)
    }

    /// Changes one of the threads that are not quiet.
    async fn shelve(&self, count: u64) -> vintedbot_sdk::Result<()> {
        let turn = usize::try_from(count / 6).unwrap_or_default();
        let busy = &self.scene.thread_ids[1..];
        let id = busy[(turn * MAKERS + self.number) % busy.len()].clone();
        let inbox = self.client.inbox();
        match turn % 5 {
            0 => inbox.archive([id]).await.map(drop),
            1 => inbox.unarchive([id]).await.map(drop),
            2 => {
                let label = LabelThreadsRequest {
                    ids: vec![id],
                    add: vec![format!("label {}", count % 7)],
                    remove: vec![format!("label {}", (count + 3) % 7)],
                    ..Default::default()
                };
                inbox.label(label).await.map(drop)
            }
            _ => inbox
                .set_note(id, format!("Note {} {count}", self.number))
                .await
                .map(drop),
        }
    }
}
