//! Connecting an account: who it is on its site, and what the site offers.

use std::sync::Arc;

use futures::FutureExt;
use vintedbot_domain::accounts as domain_accounts;
use vintedbot_domain::inbox::sync::turns;
use vintedbot_domain::jobs::{Claim, Outcome};
use vintedbot_domain::{Reason, Result};
use vintedbot_marketplace::challenge::{AccountFollows, Verdict};
use vintedbot_marketplace::{Error as SiteError, Seat};

use crate::Worker;
use crate::publishing::{challenge_reason, millis};

/// Reads the member and the catalog of the account's site, and stores both.
pub async fn connect(worker: &Arc<Worker>, claim: &Claim) -> Result<()> {
    let domain = &worker.domain;
    let account_id = claim.job.subject_id.clone().unwrap_or_default();
    let outcome = match domain_accounts::seat_of(domain, &account_id).await? {
        None => Outcome::Done,
        // Once it may be asked again, the next turn of the schedule comes here.
        Some(_) if domain_accounts::is_left_alone(domain, &account_id).await? => Outcome::Done,
        Some(seat) => match read(worker, &seat).await {
            // Its mode was changed while the other site was read: who it is on this one is asked at once.
            Ok(false) => Outcome::At(domain.store.now().await?),
            Ok(true) => {
                // Now that it is known who it is, its conversations can be read.
                turns::ensure(domain, &account_id, worker.config.sync_interval_ms).await?;
                Outcome::Done
            }
            // That it has none, or one of no use, is written down already.
            Err(Failure::Site(SiteError::NoSession(_) | SiteError::SessionInvalid(_))) => Outcome::Done,
            Err(Failure::Site(SiteError::Challenge { verdict, .. })) => {
                challenged(worker, &account_id, &verdict).await?;
                Outcome::Done
            }
            Err(Failure::Site(error)) => Outcome::Retry {
                error: error.to_string(),
            },
            // It was deleted while its site was read.
            Err(Failure::Domain(error)) if error.reason() == Some(Reason::NotFound) => Outcome::Done,
            Err(Failure::Domain(error)) => return Err(error),
        },
    };
    let (claim, back_off) = (claim.clone(), domain.settings.back_off());
    domain
        .store
        .write(move |tx| {
            let (claim, outcome) = (claim.clone(), outcome.clone());
            async move { claim.finish(tx, &outcome, &back_off).await }.boxed()
        })
        .await
}

/// The site asks for a person: what follows for the account follows here too, although no publish job met it.
pub async fn challenged(worker: &Worker, account_id: &str, verdict: &Verdict) -> Result<()> {
    let domain = &worker.domain;
    let (account_id, reason) = (account_id.to_owned(), challenge_reason(verdict.kind));
    let message = verdict.message.clone();
    if verdict.kind.consequence().account == AccountFollows::GoesOn {
        return Ok(());
    }
    let quiet_until = match verdict.quiet_for() {
        Some(time) => Some(domain.store.now().await?.saturating_add(millis(time))),
        None => None,
    };
    domain
        .store
        .write(move |tx| {
            let (account_id, message) = (account_id.clone(), message.clone());
            async move {
                match quiet_until {
                    Some(until) => domain_accounts::keep_quiet(tx, &account_id, until).await,
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

/// `false`: the account works on another site by now.
async fn read(worker: &Worker, seat: &Seat) -> std::result::Result<bool, Failure> {
    let member = worker.marketplace.member(seat).await?;
    let domain = &worker.domain;
    domain_accounts::checked(domain, &seat.account_id, &seat.site, &member).await?;
    if domain_accounts::needs_catalog(domain, seat).await? {
        let catalog = worker.marketplace.catalog(seat).await?;
        domain.catalogs.save(&domain.store, &seat.site, catalog).await?;
    }
    let (account_id, site) = (seat.account_id.clone(), seat.site.clone());
    let recorded = domain
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
