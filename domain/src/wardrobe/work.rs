//! What the worker does for an import: it begins, brings one item after another, says how far it is, and ends.
//!
//! Each step is a transaction that first makes sure of its claim, so that of two workers the one that lost it writes nothing.

use futures::FutureExt;
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel};
use vintedbot_marketplace::Seat;

use super::{ImportState, WardrobeImport};
use crate::accounts::{self, Account, AccountState};
use crate::events::{Kind, PendingEvent};
use crate::jobs::{Claim, Outcome};
use crate::store::Tx;
use crate::store::entities::{accounts as account_rows, wardrobe_imports};
use crate::{Domain, Error, Reason, Result};

/// How many problems are told; who has more has one in common.
const PROBLEMS_MAX: usize = 50;

/// An import that is under way.
#[derive(Clone, Debug)]
pub struct Begun {
    pub import_id: String,
    pub owner_id: String,
    pub account: Account,
    pub seat: Seat,
    pub counts: Counts,
}

/// How far an import is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub total: i64,
    pub done: i64,
    pub created: i64,
    pub differing: i64,
    pub failed: i64,
    pub problems: Vec<String>,
}

impl Counts {
    /// Notes what went wrong with an item.
    pub fn problem(&mut self, item_id: &str, what: &str) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(format!("{item_id}: {what}"));
        }
    }
}

/// Begins an import, or begins it anew after its worker died. `None`: there is nothing to do, and the claim was let go of.
pub async fn begin(domain: &Domain, claim: &Claim) -> Result<Option<Begun>> {
    let (domain_, claim) = (domain.clone(), claim.clone());
    domain
        .store
        .write(move |tx| {
            let (domain, claim) = (domain_.clone(), claim.clone());
            async move {
                match decide(tx, &domain, &claim).await? {
                    Ok(begun) => Ok(Some(begun)),
                    Err(outcome) => {
                        claim.finish(tx, &outcome, &domain.settings.back_off()).await?;
                        Ok(None)
                    }
                }
            }
            .boxed()
        })
        .await
}

async fn decide(tx: &Tx, domain: &Domain, claim: &Claim) -> Result<std::result::Result<Begun, Outcome>> {
    let account = lock_account(tx, claim).await?;
    claim.require_live(tx).await?;
    let row = load(tx, claim.job.subject_id.as_deref().unwrap_or_default()).await?;
    let now = tx.now().await?;
    if matches!(row.state, ImportState::Done | ImportState::Failed) {
        return Ok(Err(Outcome::Done));
    }
    let account = match account.filter(|account| account.delete_time.is_none()) {
        Some(account) if account.state == AccountState::Active => account,
        Some(_) => {
            let message = "the account is paused";
            finish(tx, row, Err((Reason::AccountPaused, message.to_owned()))).await?;
            return Ok(Err(Outcome::Done));
        }
        None => {
            finish(
                tx,
                row,
                Err((Reason::NotFound, "the account was removed".to_owned())),
            )
            .await?;
            return Ok(Err(Outcome::Done));
        }
    };
    if claim.job.claims > domain.settings.max_claims {
        let message = "given up after attempts that ended with their worker".to_owned();
        finish(tx, row, Err((Reason::AttemptsExhausted, message.clone()))).await?;
        return Ok(Err(Outcome::Dead { error: message }));
    }
    if let Some(until) = account.quiet_until.filter(|until| *until > now) {
        return Ok(Err(Outcome::At(until)));
    }
    // What was made stays made; what was looked at is looked at again.
    let counts = Counts {
        created: row.created,
        ..Counts::default()
    };
    let row = wardrobe_imports::Model {
        state: ImportState::Running,
        ..row
    };
    let (import_id, owner_id) = (row.id.clone(), row.owner_id.clone());
    write(tx, row, &counts, Kind::WardrobeImportUpdated).await?;
    let account = Account::from(account);
    Ok(Ok(Begun {
        import_id,
        owner_id,
        seat: accounts::seat(&account),
        account,
        counts,
    }))
}

pub(super) async fn lock_account(tx: &Tx, claim: &Claim) -> Result<Option<account_rows::Model>> {
    let id = claim.job.account_id.clone().unwrap_or_default();
    Ok(tx.locked(account_rows::Entity::find_by_id(id)).one(tx).await?)
}

async fn load(tx: &Tx, id: &str) -> Result<wardrobe_imports::Model> {
    let row = tx
        .locked(wardrobe_imports::Entity::find_by_id(id))
        .one(tx)
        .await?;
    row.ok_or_else(|| Error::not_found("wardrobe import", id))
}

/// Says how far an import is. An error where the claim is lost.
pub async fn progress(domain: &Domain, claim: &Claim, begun: &Begun) -> Result<()> {
    let (claim, begun) = (claim.clone(), begun.clone());
    domain
        .store
        .write(move |tx| {
            let (claim, begun) = (claim.clone(), begun.clone());
            async move {
                claim.require_live(tx).await?;
                let row = load(tx, &begun.import_id).await?;
                write(tx, row, &begun.counts, Kind::WardrobeImportUpdated).await
            }
            .boxed()
        })
        .await
}

/// Ends an import, and lets go of its claim.
pub async fn end(
    domain: &Domain,
    claim: &Claim,
    begun: &Begun,
    ended: std::result::Result<(), (Reason, String)>,
) -> Result<()> {
    let (claim, begun, back_off) = (claim.clone(), begun.clone(), domain.settings.back_off());
    domain
        .store
        .write(move |tx| {
            let (claim, begun, ended) = (claim.clone(), begun.clone(), ended.clone());
            async move {
                if claim.require_held(tx).await.is_err() {
                    return Ok(());
                }
                let mut row = load(tx, &begun.import_id).await?;
                count(&mut row, &begun.counts)?;
                finish(tx, row, ended).await?;
                claim.finish(tx, &Outcome::Done, &back_off).await
            }
            .boxed()
        })
        .await
}

async fn finish(
    tx: &Tx,
    mut row: wardrobe_imports::Model,
    ended: std::result::Result<(), (Reason, String)>,
) -> Result<()> {
    row.end_time = Some(tx.now().await?);
    match ended {
        Ok(()) => row.state = ImportState::Done,
        Err((reason, message)) => {
            row.state = ImportState::Failed;
            row.reason = Some(reason.name());
            row.message = Some(message);
        }
    }
    save(tx, row, Kind::WardrobeImportEnded).await
}

async fn write(tx: &Tx, mut row: wardrobe_imports::Model, counts: &Counts, kind: Kind) -> Result<()> {
    count(&mut row, counts)?;
    save(tx, row, kind).await
}

fn count(row: &mut wardrobe_imports::Model, counts: &Counts) -> Result<()> {
    row.total = counts.total;
    row.done = counts.done;
    row.created = counts.created;
    row.differing = counts.differing;
    row.failed = counts.failed;
    row.problems = serde_json::to_string(&counts.problems)?;
    Ok(())
}

async fn save(tx: &Tx, row: wardrobe_imports::Model, kind: Kind) -> Result<()> {
    row.clone().into_active_model().reset_all().update(tx).await?;
    tx.emit(PendingEvent::changed(kind, &WardrobeImport::from(row))?);
    Ok(())
}
