//! `RetryReply`: sends the same reply again after a person has dealt with the obstacle.

use futures::FutureExt;

use super::{load_owned, may_act, requeue, save, wrong_state};
use crate::accounts::Mode;
use crate::events::Kind;
use crate::identity::Caller;
use crate::inbox::{Reply, ReplyState};
use crate::store::Tx;
use crate::store::entities::{accounts, replies};
use crate::{Context, Reason, Result, requests};

const METHOD: &str = "RetryReply";

/// Queues a BLOCKED or FAILED reply again. A reply that still needs a confirmation waits for a new one.
///
/// # Errors
/// REPLY_STATE_INVALID in every other state, and for a text that the site refused, which is never sent again;
/// ACCOUNT_PAUSED.
pub async fn retry(
    context: &Context,
    caller: &Caller,
    id: &str,
    request_id: Option<String>,
) -> Result<Reply> {
    let (context_, workspace_id, id) = (context.clone(), caller.workspace_id.clone(), id.to_owned());
    context
        .store
        .write(move |tx| {
            let (context, workspace_id) = (context_.clone(), workspace_id.clone());
            let (id, request_id) = (id.clone(), request_id.clone());
            async move {
                let request_id = request_id.as_deref();
                let known = requests::check(tx, &workspace_id, request_id, METHOD, &id).await?;
                let (account, row) = load_owned(tx, &workspace_id, &id).await?;
                if known.is_some() {
                    return Ok(row.into());
                }
                let reply = run(tx, &context, &account, row).await?;
                requests::remember(tx, &workspace_id, request_id, METHOD, &id, &id).await?;
                Ok(reply)
            }
            .boxed()
        })
        .await
}

async fn run(tx: &Tx, context: &Context, account: &accounts::Model, row: replies::Model) -> Result<Reply> {
    if !matches!(row.state, ReplyState::Blocked | ReplyState::Failed) {
        return Err(wrong_state(&row, "only a BLOCKED or FAILED reply can be retried"));
    }
    if row.reason == Some(Reason::SiteRefused.name()) {
        return Err(wrong_state(
            &row,
            "the site refused this text, so it is not sent again; send a different text",
        ));
    }
    may_act(&row, account)?;
    let now = tx.now().await?;
    // The account's mode may have become stricter since.
    let manual = row.manual || account.mode == Mode::Manual;
    let consented = !manual || row.confirm_time.is_some();
    let expire = now + context.settings.confirm_token_ms;
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
        requires_action: false,
        reason: None,
        message: None,
        ..row
    };
    requeue(tx, &row, if consented { now } else { expire }).await?;
    save(tx, row, Kind::ReplyUpdated).await
}
