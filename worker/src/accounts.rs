//! Connects accounts: reads the member and the site's catalogue.

use std::sync::Arc;

use futures::FutureExt;
use vintedbot_domain::accounts as domain_accounts;
use vintedbot_domain::inbox::sync::turns;
use vintedbot_domain::jobs::{Claim, Outcome};
use vintedbot_domain::{Reason, Result};
use vintedbot_marketplace::challenge::{AccountAction, Verdict};
use vintedbot_marketplace::{AccountContext, Error as SiteError};

use crate::Worker;
use crate::publishing::{challenge_reason, millis};

/// Reads the member and the catalogue of the account's site, and stores both.
pub async fn connect(worker: &Arc<Worker>, claim: &Claim) -> Result<()> {
    let context = &worker.context;
    let account_id = claim.job.subject_id.clone().unwrap_or_default();
    let outcome = match domain_accounts::account_context_of(context, &account_id).await? {
        None => Outcome::Done,
        // The next run of the schedule connects the account after its pause or cooldown.
        Some(_) if domain_accounts::is_paused_or_cooling_down(context, &account_id).await? => Outcome::Done,
        Some(account_context) => match read(worker, &account_context).await {
            // The account moved to another site during the reading. Reads the member of the new site at once.
            Ok(false) => Outcome::At(context.store.now().await?),
            Ok(true) => {
                // The member is known now, so the inbox can be read.
                turns::ensure(context, &account_id, worker.config.sync_interval_ms).await?;
                Outcome::Done
            }
            // The state of the session has been stored already.
            Err(Failure::Site(SiteError::NoSession(_) | SiteError::SessionInvalid(_))) => Outcome::Done,
            Err(Failure::Site(SiteError::Challenge { verdict, .. })) => {
                challenged(worker, &account_id, &verdict).await?;
                Outcome::Done
            }
            Err(Failure::Site(error)) => Outcome::Retry {
                error: error.to_string(),
            },
            // The account was deleted during the reading.
            Err(Failure::Domain(error)) if error.reason() == Some(Reason::NotFound) => Outcome::Done,
            Err(Failure::Domain(error)) => return Err(error),
        },
    };
    let (claim, backoff) = (claim.clone(), context.settings.backoff());
    context
        .store
        .write(move |tx| {
            let (claim, outcome) = (claim.clone(), outcome.clone());
            async move { claim.finish(tx, &outcome, &backoff).await }.boxed()
        })
        .await
}

/// Applies the challenge policy to the account, for a challenge that no publish job met.
pub async fn challenged(worker: &Worker, account_id: &str, verdict: &Verdict) -> Result<()> {
    let context = &worker.context;
    let (account_id, reason) = (account_id.to_owned(), challenge_reason(verdict.kind));
    let message = verdict.message.clone();
    if verdict.kind.policy().account == AccountAction::Continue {
        return Ok(());
    }
    let cooldown_until = match verdict.cooldown() {
        Some(time) => Some(context.store.now().await?.saturating_add(millis(time))),
        None => None,
    };
    context
        .store
        .write(move |tx| {
            let (account_id, message) = (account_id.clone(), message.clone());
            async move {
                match cooldown_until {
                    Some(until) => domain_accounts::start_cooldown(tx, &account_id, until).await,
                    None => domain_accounts::pause(tx, &account_id, reason, &message, None).await,
                }
            }
            .boxed()
        })
        .await
}

enum Failure {
    Site(SiteError),
    Domain(vintedbot_domain::Error),
}

impl From<SiteError> for Failure {
    fn from(error: SiteError) -> Self {
        Self::Site(error)
    }
}

impl From<vintedbot_domain::Error> for Failure {
    fn from(error: vintedbot_domain::Error) -> Self {
        Self::Domain(error)
    }
}

/// Returns false if the account has moved to another site.
async fn read(worker: &Worker, account_context: &AccountContext) -> std::result::Result<bool, Failure> {
    let member = worker.marketplace.member(account_context).await?;
    let context = &worker.context;
    domain_accounts::checked(
        context,
        &account_context.account_id,
        &account_context.site,
        &member,
    )
    .await?;
    if domain_accounts::needs_catalog(context, account_context).await? {
        let catalog = worker.marketplace.catalog(account_context).await?;
        context
            .catalogs
            .save(&context.store, &account_context.site, catalog)
            .await?;
    }
    let (account_id, site) = (account_context.account_id.clone(), account_context.site.clone());
    let recorded = context
        .store
        .write(move |tx| {
            let (account_id, site, member) = (account_id.clone(), site.clone(), member.clone());
            async move {
                domain_accounts::record_member(tx, &account_id, &site, &member.id, &member.login).await
            }
            .boxed()
        })
        .await?;
    Ok(recorded)
}
