//! Makes events, through calls that anybody can make.

use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use vintedbot_sdk::v1::{CreateAccountRequest, account};
use vintedbot_sdk::v1::{CreateListingRequest, ListingInput, Template, UpdateTemplateRequest};
use vintedbot_sdk::{Client, mask};

/// Makers of events; each makes so many a second.
const MAKERS: u64 = 4;
const EACH_PER_SECOND: u64 = 60;

/// What makes the events.
pub struct Driver {
    ended: CancellationToken,
    makers: JoinSet<Result<()>>,
}

impl Driver {
    /// Begins.
    pub fn start(client: &Client) -> Self {
        let ended = CancellationToken::new();
        let mut makers = JoinSet::new();
        for number in 0..MAKERS {
            makers.spawn(make(client.clone(), number, ended.clone()));
        }
        Self { ended, makers }
    }

    /// Ends, when every call that is under way was answered.
    pub async fn stop(mut self) -> Result<()> {
        self.ended.cancel();
        while let Some(made) = self.makers.join_next().await {
            made??;
        }
        Ok(())
    }
}

async fn make(client: Client, number: u64, ended: CancellationToken) -> Result<()> {
    let template = client
        .templates()
        .create(format!("Template {number}"), "Bonjour {{person}}")
        .await
        .context("a template")?;
    let seller = CreateAccountRequest {
        display_name: format!("Seller {number}"),
        market: "fr".into(),
        mode: Some(account::Mode::Mock.into()),
        ..Default::default()
    };
    let account = client.accounts().create(seller).await?;
    let mut ticks = interval(Duration::from_micros(1_000_000 / EACH_PER_SECOND));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut count = 0_u64;
    loop {
        tokio::select! {
            () = ended.cancelled() => return Ok(()),
            _ = ticks.tick() => {}
        }
        count += 1;
        // Most are heard of by half of the watchers, some by the others too, and none is like the one before.
        let made = if count.is_multiple_of(3) {
            let listing = ListingInput {
                title: format!("Sweat {number} {count}"),
                ..Default::default()
            };
            let request = CreateListingRequest {
                account_id: account.id.clone(),
                listing: Some(listing),
                ..Default::default()
            };
            client.listings().create(request).await.map(drop)
        } else {
            let request = UpdateTemplateRequest {
                id: template.id.clone(),
                template: Some(Template {
                    text: format!("Bonjour {{{{person}}}}, {count}"),
                    ..Default::default()
                }),
                update_mask: Some(mask(["text"])),
                ..Default::default()
            };
            client.templates().update(request).await.map(drop)
        };
        // A server that is away for longer than a call is repeated makes no event; nothing is lost by that.
        if let Err(error) = made {
            tracing::debug!(%error, "an event was not made");
        }
    }
}
