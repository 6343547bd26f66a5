//! `SendReply`: freezes a reply's content and queues it.

use futures::FutureExt;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
};
use serde::Serialize;
use vintedbot_marketplace::text;

use super::{PHOTOS_MAX, lock_account, not_paused, requeue, save};
use crate::accounts::{self, Account, Mode};
use crate::events::{Kind, PendingEvent};
use crate::identity::Caller;
use crate::inbox::text::check_text;
use crate::inbox::{Reply, ReplyState, Thread};
use crate::keys::sha256_hex;
use crate::store::entities::{people, photos, replies, threads};
use crate::store::{OfWorkspace, Tx};
use crate::{Context, Error, Reason, Result, Violation, media, requests};

/// The parameters of `SendReply`.
#[derive(Clone, Debug, Serialize)]
pub struct Send {
    pub thread_id: String,
    pub text: String,
    pub photo_ids: Vec<String>,
    /// Whether to require a confirmation in every mode.
    pub manual: bool,
    /// Whether to clear the thread's draft.
    pub clear_draft: bool,
    #[serde(skip)]
    pub request_id: Option<String>,
}

const METHOD: &str = "SendReply";

/// The content that a confirmation approves; the hash of its JSON identifies it.
#[derive(Serialize)]
struct Frozen<'a> {
    version: u8,
    workspace_id: &'a str,
    account_id: &'a str,
    site: &'a str,
    conversation_id: &'a str,
    text: &'a str,
    /// SHA-256 of the processed photos, in order.
    photo_sha256s: &'a [String],
}

/// Creates a reply. It is queued and sent after its undo window. In MANUAL mode, or if the caller requests it, it waits
/// for a confirmation first.
///
/// # Errors
/// The violations of text and photos in one error each; NOT_FOUND, MODE_CHANGED, REPLY_NOT_ALLOWED, ACCOUNT_PAUSED,
/// SESSION_REQUIRED, SESSION_INVALID.
pub async fn send(context: &Context, caller: &Caller, send: Send) -> Result<Reply> {
    let send = Send {
        text: checked(&send)?,
        ..send
    };
    let (context_, workspace_id) = (context.clone(), caller.workspace_id.clone());
    context
        .store
        .write(move |tx| {
            let (context, workspace_id, send) = (context_.clone(), workspace_id.clone(), send.clone());
            async move {
                let request_id = send.request_id.as_deref();
                if let Some(id) = requests::check(tx, &workspace_id, request_id, METHOD, &send).await? {
                    return Ok(super::load(tx, &id).await?.into());
                }
                let reply = insert(tx, &context, &workspace_id, &send).await?;
                requests::remember(tx, &workspace_id, request_id, METHOD, &send, &reply.id).await?;
                Ok(reply)
            }
            .boxed()
        })
        .await
}

/// Checks the parameters and returns the text in the common form and trimmed.
fn checked(send: &Send) -> Result<String> {
    let text = text::normalize(&send.text).trim().to_owned();
    let mut violations: Vec<_> = check_text("text", &text).into_iter().collect();
    if text.is_empty() && send.photo_ids.is_empty() {
        violations.push(Violation::new(
            "text",
            "must not be empty unless a photo is attached",
        ));
    }
    if send.photo_ids.len() > PHOTOS_MAX {
        violations.push(Violation::new(
            "photo_ids",
            format!("must name at most {PHOTOS_MAX} photos"),
        ));
    }
    if violations.is_empty() {
        Ok(text)
    } else {
        Err(Error::Invalid(violations))
    }
}

async fn insert(tx: &Tx, context: &Context, workspace_id: &str, send: &Send) -> Result<Reply> {
    let found = threads::Entity::find_by_id(&send.thread_id).of_workspace(workspace_id);
    let found = found.one(tx).await?;
    let found = found
        .filter(|row| row.delete_time.is_none())
        .ok_or_else(|| Error::not_found("thread", &send.thread_id))?;
    let account = lock_account(tx, &found.account_id).await?;
    let thread = tx
        .locked(threads::Entity::find_by_id(&found.id))
        .one(tx)
        .await?
        .ok_or_else(|| Error::not_found("thread", &send.thread_id))?;
    let now = tx.now().await?;
    if account.delete_time.is_some() || account.site != thread.site {
        return Err(Error::rejected(
            Reason::ModeChanged,
            "the thread belongs to another site than the account works on now",
        ));
    }
    not_paused(&account)?;
    let mode = account.mode;
    let account = Account::from(account);
    accounts::require_session(&account, now)?;
    if !thread.reply_allowed {
        return Err(Error::rejected(
            Reason::ReplyNotAllowed,
            "the site does not allow replies in this thread",
        )
        .with("thread_id", &thread.id));
    }
    let photo_sha256s = hashes(tx, workspace_id, &send.photo_ids).await?;
    media::mark_used(tx, &send.photo_ids).await?;
    let frozen = Frozen {
        version: 1,
        workspace_id,
        account_id: &account.id,
        site: &thread.site,
        conversation_id: &thread.remote_id,
        text: &send.text,
        photo_sha256s: &photo_sha256s,
    };
    let manual = send.manual || mode == Mode::Manual;
    let expire = now + context.settings.confirm_token_ms;
    let due = if manual {
        expire
    } else {
        now + context.settings.replies.undo_ms
    };
    let row = replies::Model {
        id: tx.id(),
        workspace_id: workspace_id.to_owned(),
        account_id: account.id.clone(),
        thread_id: thread.id.clone(),
        site: thread.site.clone(),
        state: if manual {
            ReplyState::AwaitingConfirmation
        } else {
            ReplyState::Queued
        },
        text: send.text.clone(),
        photo_ids: serde_json::to_string(&send.photo_ids)?,
        content_hash: sha256_hex(serde_json::to_string(&frozen)?),
        number: last_number(tx, &thread.id).await? + 1,
        manual,
        prepare_number: 1,
        send_time: (!manual).then_some(due),
        confirm_expire_time: manual.then_some(expire),
        confirm_time: None,
        requires_action: false,
        reason: None,
        message: None,
        attempts: 0,
        message_id: None,
        create_time: now,
        update_time: now,
        end_time: None,
        sequence: 0,
    };
    replies::Entity::insert(row.clone().into_active_model())
        .exec_without_returning(tx)
        .await?;
    requeue(tx, &row, due).await?;
    if send.clear_draft && thread.draft_text.is_some() {
        clear_draft(tx, thread, now).await?;
    }
    save(tx, row, Kind::ReplyCreated).await
}

/// Returns the SHA-256 of the caller's photos, in order.
async fn hashes(tx: &Tx, workspace_id: &str, ids: &[String]) -> Result<Vec<String>> {
    let found = photos::Entity::find()
        .of_workspace(workspace_id)
        .filter(photos::Column::Id.is_in(ids.iter().map(String::as_str)))
        .all(tx)
        .await?;
    let mut hashes = Vec::new();
    let mut violations = Vec::new();
    for (at, id) in ids.iter().enumerate() {
        match found.iter().find(|photo| photo.id == *id) {
            Some(photo) => hashes.push(photo.sha256.clone()),
            None => violations.push(Violation::new(
                format!("photo_ids[{at}]"),
                format!("there is no photo {id}"),
            )),
        }
    }
    if violations.is_empty() {
        Ok(hashes)
    } else {
        Err(Error::Invalid(violations))
    }
}

/// Returns the number of the thread's last reply, or 0. The caller has locked the thread.
async fn last_number(tx: &Tx, thread_id: &str) -> Result<i64> {
    let last: Option<i64> = replies::Entity::find()
        .select_only()
        .column(replies::Column::Number)
        .filter(replies::Column::ThreadId.eq(thread_id))
        .order_by_desc(replies::Column::Number)
        .limit(1)
        .into_tuple()
        .one(tx)
        .await?;
    Ok(last.unwrap_or(0))
}

async fn clear_draft(tx: &Tx, thread: threads::Model, now: i64) -> Result<()> {
    let thread = threads::Model {
        draft_text: None,
        draft_version: thread.draft_version + 1,
        draft_time: Some(now),
        update_time: now,
        ..thread
    };
    thread.clone().into_active_model().reset_all().update(tx).await?;
    let person = people::Entity::find_by_id(&thread.person_id).one(tx).await?;
    let person = person.ok_or_else(|| Error::not_found("person", &thread.person_id))?;
    tx.emit(PendingEvent::changed(
        Kind::ThreadDraftSaved,
        &Thread::of(thread, person),
    )?);
    Ok(())
}
