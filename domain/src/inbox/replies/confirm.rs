//! `ConfirmReply`: consumes the confirm token and queues the reply. A dry run only makes the checks.

use futures::FutureExt;

use super::{load_owned, may_act, requeue, save, token, wrong_state};
use crate::clock::rfc3339;
use crate::events::Kind;
use crate::identity::Caller;
use crate::inbox::{Reply, ReplyState};
use crate::keys::sha256_hex;
use crate::store::Tx;
use crate::store::entities::replies;
use crate::{Context, Error, Reason, Result, requests};

/// The parameters of `ConfirmReply`.
#[derive(Clone, Debug)]
pub struct Confirm {
    pub id: String,
    pub token: String,
    pub dry_run: bool,
    pub request_id: Option<String>,
}

const METHOD: &str = "ConfirmReply";

/// Confirms a reply, which is then sent at once. With `dry_run`, all checks run and nothing changes. The same
/// `request_id` returns the same result.
pub async fn confirm(context: &Context, caller: &Caller, confirm: Confirm) -> Result<Reply> {
    let (context_, workspace_id) = (context.clone(), caller.workspace_id.clone());
    context
        .store
        .write(move |tx| {
            let (context, workspace_id, confirm) = (context_.clone(), workspace_id.clone(), confirm.clone());
            async move { run(tx, &context, &workspace_id, &confirm).await }.boxed()
        })
        .await
}

async fn run(tx: &Tx, context: &Context, workspace_id: &str, confirm: &Confirm) -> Result<Reply> {
    let request_id = confirm.request_id.as_deref().filter(|_| !confirm.dry_run);
    let parameters = (&confirm.id, sha256_hex(&confirm.token));
    let known = requests::check(tx, workspace_id, request_id, METHOD, &parameters).await?;
    let (account, row) = load_owned(tx, workspace_id, &confirm.id).await?;
    if known.is_some() {
        return Ok(row.into());
    }
    let now = tx.now().await?;
    token::check(&context.keys, &confirm.token, &row)?;
    awaits_confirmation(&row, now)?;
    may_act(&row, &account)?;
    if confirm.dry_run {
        return Ok(row.into());
    }
    let row = replies::Model {
        state: ReplyState::Queued,
        confirm_time: Some(now),
        send_time: Some(now),
        reason: None,
        message: None,
        ..row
    };
    requeue(tx, &row, now).await?;
    let reply = save(tx, row, Kind::ReplyUpdated).await?;
    requests::remember(tx, workspace_id, request_id, METHOD, &parameters, &reply.id).await?;
    Ok(reply)
}

fn awaits_confirmation(row: &replies::Model, now: i64) -> Result<()> {
    if row.confirm_time.is_some() {
        return Err(
            Error::rejected(Reason::ConfirmationUsed, "this confirmation was used already")
                .with("reply_id", &row.id),
        );
    }
    if row.state != ReplyState::AwaitingConfirmation {
        return Err(wrong_state(row, "the reply is not waiting for a confirmation"));
    }
    match row.confirm_expire_time {
        Some(time) if time <= now => Err(Error::rejected(
            Reason::ConfirmationExpired,
            "the confirm token has expired; send the reply again",
        )
        .with("expire_time", rfc3339(time))),
        _ => Ok(()),
    }
}
