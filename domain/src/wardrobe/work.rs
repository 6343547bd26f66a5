//! The worker's steps of an import: begin, import each item, report progress, end.
//!
//! Each step is a transaction that first checks its claim, so that a worker that lost its claim writes nothing.

use futures::FutureExt;
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel};
use vintedbot_marketplace::AccountContext;

use super::{ImportState, WardrobeImport};
use crate::accounts::{self, Account, AccountState};
use crate::events::{Kind, PendingEvent};
use crate::jobs::{Claim, Outcome};
use crate::store::Tx;
use crate::store::entities::{accounts as account_rows, wardrobe_imports};
use crate::{Context, Error, Reason, Result};

/// The maximum number of problems that are reported. More problems usually have a common cause.
const PROBLEMS_MAX: usize = 50;

/// An import in progress.
#[derive(Clone, Debug)]
pub struct Begun {
    pub import_id: String,
    pub workspace_id: String,
    pub account: Account,
    pub account_context: AccountContext,
    pub counts: Counts,
}

/// The progress of an import.
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
    /// Records a problem with an item.
    pub fn problem(&mut self, item_id: &str, what: &str) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(format!("{item_id}: {what}"));
        }
    }
}

/// Begins an import, or begins it again after its worker died. `None`: there is nothing to do, and the claim is already
/// released.
pub async fn begin(context: &Context, claim: &Claim) -> Result<Option<Begun>> {
    let (context_, claim) = (context.clone(), claim.clone());
    context
        .store
        .write(move |tx| {
            let (context, claim) = (context_.clone(), claim.clone());
            async move {
                match decide(tx, &context, &claim).await? {
                    Ok(begun) => Ok(Some(begun)),
                    Err(outcome) => {
                        claim.finish(tx, &outcome, &context.settings.backoff()).await?;
                        Ok(None)
                    }
                }
            }
            .boxed()
        })
        .await
}

async fn decide(tx: &Tx, context: &Context, claim: &Claim) -> Result<std::result::Result<Begun, Outcome>> {
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
    if claim.job.claims > context.settings.jobs.max_claims {
        let message = "gave up: too many attempts ended with their worker".to_owned();
        finish(tx, row, Err((Reason::AttemptsExhausted, message.clone()))).await?;
        return Ok(Err(Outcome::Dead { error: message }));
    }
    if let Some(until) = account.cooldown_until.filter(|until| *until > now) {
        return Ok(Err(Outcome::At(until)));
    }
    // Created listings still count; all items are read again.
    let counts = Counts {
        created: row.created,
        ..Counts::default()
    };
    let row = wardrobe_imports::Model {
        state: ImportState::Running,
        ..row
    };
    let (import_id, workspace_id) = (row.id.clone(), row.workspace_id.clone());
    write(tx, row, &counts, Kind::WardrobeImportUpdated).await?;
    let account = Account::from(account);
    Ok(Ok(Begun {
        import_id,
        workspace_id,
        account_context: accounts::account_context(&account),
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

/// Records the progress of an import.
///
/// # Errors
/// An error if the claim is lost.
pub async fn progress(context: &Context, claim: &Claim, begun: &Begun) -> Result<()> {
    let (claim, begun) = (claim.clone(), begun.clone());
    context
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

/// Ends an import and releases its claim.
pub async fn end(
    context: &Context,
    claim: &Claim,
    begun: &Begun,
    ended: std::result::Result<(), (Reason, String)>,
) -> Result<()> {
    let (claim, begun, backoff) = (claim.clone(), begun.clone(), context.settings.backoff());
    context
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
                claim.finish(tx, &Outcome::Done, &backoff).await
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
