//! `RetryReply`: the same reply again, after what stopped it is dealt with.

use futures::FutureExt;

use super::{load_owned, may_act, requeue, save, wrong_state};
use crate::accounts::Mode;
use crate::events::Kind;
use crate::identity::Caller;
use crate::inbox::{Reply, ReplyState};
use crate::store::Tx;
use crate::store::entities::{accounts, replies};
use crate::{Domain, Reason, Result, requests};

const METHOD: &str = "RetryReply";

/// Queues a reply that is BLOCKED or FAILED again; one that still needs a confirmation waits for a new one.
///
/// # Errors
/// REPLY_STATE in every other state, and for a text that the site refused, which is not sent again; ACCOUNT_PAUSED.
pub async fn retry(domain: &Domain, caller: &Caller, id: &str, request_id: Option<String>) -> Result<Reply> {
    let (domain_, owner_id, id) = (domain.clone(), caller.owner_id.clone(), id.to_owned());
    domain
        .store
        .write(move |tx| {
            let (domain, owner_id) = (domain_.clone(), owner_id.clone());
            let (id, request_id) = (id.clone(), request_id.clone());
            async move {
                let request_id = request_id.as_deref();
                let known = requests::check(tx, &owner_id, request_id, METHOD, &id).await?;
                let (account, row) = load_owned(tx, &owner_id, &id).await?;
                if known.is_some() {
                    return Ok(row.into());
                }
                let reply = run(tx, &domain, &account, row).await?;
                requests::remember(tx, &owner_id, request_id, METHOD, &id, &id).await?;
                Ok(reply)
            }
            .boxed()
        })
        .await
}

async fn run(tx: &Tx, domain: &Domain, account: &accounts::Model, row: replies::Model) -> Result<Reply> {
    if !matches!(row.state, ReplyState::Blocked | ReplyState::Failed) {
        return Err(wrong_state(
            &row,
            "only a reply that is BLOCKED or FAILED is sent again",
        ));
    }
    if row.reason == Some(Reason::SiteRefused.name()) {
        return Err(wrong_state(
            &row,
            "the site refused this text, which is not sent again; write another one",
        ));
    }
    may_act(&row, account)?;
    let now = tx.now().await?;
    // The account may have come under a stricter mode since.
    let manual = row.manual || account.mode == Mode::Manual;
    let consented = !manual || row.confirm_time.is_some();
    let expire = now + domain.settings.confirm_token_ms;
    let row = replies::Model {
        state: if consented {
            ReplyState::Queued
        } else {
            ReplyState::AwaitingConfirmation
        },
        manual,
        prepare_number: row.prepare_number + 1,
        send_time: consented.then_some(now),
        confirm_expire_time: (!consented).then_some(expire),
        needs_manual: false,
        reason: None,
        message: None,
        ..row
    };
    requeue(tx, &row, if consented { now } else { expire }).await?;
    save(tx, row, Kind::ReplyUpdated).await
}
