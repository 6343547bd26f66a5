//! Fetches the photos of messages, after the texts are stored. Each photo is tried until it is stored or has failed too
//! often.

use futures::FutureExt;
use sea_orm::sea_query::Query;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
};

use super::entry;
use super::work::{Begun, same_account};
use crate::events::{Kind, PendingEvent};
use crate::inbox::{AttachmentState, Message};
use crate::jobs::Claim;
use crate::store::entities::{messages, threads};
use crate::{Context, Result};

/// The maximum number of attempts per photo.
const ATTEMPTS_MAX: u32 = 5;
/// The LIKE pattern of rows with an attachment in state PENDING. The partial index on these rows uses the same pattern.
const WAITING: &str = "%\"PENDING\"%";

/// A photo to fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub thread_id: String,
    pub message_id: String,
    /// The position among the message's attachments.
    pub position: usize,
    pub url: String,
}

/// The result of fetching a photo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    Stored {
        photo_id: String,
    },
    /// A later attempt may succeed.
    NotNow {
        message: String,
    },
    /// No later attempt can succeed.
    Never {
        message: String,
    },
}

/// Returns at most `most` photos to fetch for the account, those of the newest messages first.
pub async fn waiting(context: &Context, begun: &Begun, most: usize) -> Result<Vec<Waiting>> {
    let of_site = Query::select()
        .column(threads::Column::Id)
        .from(threads::Entity)
        .and_where(threads::Column::AccountId.eq(begun.account_context.account_id.as_str()))
        .and_where(threads::Column::Site.eq(begun.account_context.site.as_str()))
        .to_owned();
    let rows = messages::Entity::find()
        .filter(messages::Column::AccountId.eq(begun.account_context.account_id.as_str()))
        .filter(messages::Column::Attachments.like(WAITING))
        .filter(messages::Column::ThreadId.in_subquery(of_site))
        .order_by_desc(messages::Column::Time)
        .limit(u64::try_from(most).unwrap_or(u64::MAX))
        .all(context.store.reader())
        .await?;
    let mut waiting = Vec::new();
    for row in rows {
        for (position, attachment) in entry::parsed(&row)?.into_iter().enumerate() {
            if attachment.state == AttachmentState::Pending && waiting.len() < most {
                waiting.push(Waiting {
                    thread_id: row.thread_id.clone(),
                    message_id: row.id.clone(),
                    position,
                    url: attachment.url,
                });
            }
        }
    }
    Ok(waiting)
}

/// Records the result of fetching a photo. Emits an event if the photo's state becomes final.
pub async fn settle(
    context: &Context,
    claim: &Claim,
    begun: &Begun,
    photo: &Waiting,
    fetched: Fetched,
) -> Result<()> {
    let (claim, begun, photo) = (claim.clone(), begun.clone(), photo.clone());
    context
        .store
        .write(move |tx| {
            let (claim, begun) = (claim.clone(), begun.clone());
            let (photo, fetched) = (photo.clone(), fetched.clone());
            async move {
                if same_account(tx, &begun).await?.is_none() {
                    return Ok(());
                }
                claim.require_live(tx).await?;
                let thread = tx
                    .locked(threads::Entity::find_by_id(&photo.thread_id))
                    .one(tx)
                    .await?;
                let row = tx
                    .locked(messages::Entity::find_by_id(&photo.message_id))
                    .one(tx)
                    .await?;
                let (Some(thread), Some(row)) = (thread, row) else {
                    return Ok(());
                };
                let mut attachments = entry::parsed(&row)?;
                let attachment = attachments.get_mut(photo.position);
                let Some(attachment) =
                    attachment.filter(|attachment| attachment.state == AttachmentState::Pending)
                else {
                    return Ok(());
                };
                match fetched {
                    Fetched::Stored { photo_id } => {
                        attachment.state = AttachmentState::Stored;
                        attachment.photo_id = Some(photo_id);
                        attachment.message.clear();
                    }
                    Fetched::NotNow { .. } if attachment.attempts + 1 < ATTEMPTS_MAX => {
                        attachment.attempts += 1
                    }
                    Fetched::NotNow { message } | Fetched::Never { message } => {
                        attachment.state = AttachmentState::Failed;
                        attachment.message = message;
                    }
                }
                let is_final = attachment.state != AttachmentState::Pending;
                let row = messages::Model {
                    attachments: serde_json::to_string(&attachments)?,
                    ..row
                };
                row.clone().into_active_model().reset_all().update(tx).await?;
                if is_final && thread.delete_time.is_none() {
                    tx.emit(PendingEvent::changed(Kind::MessageUpdated, &Message::from(row))?);
                }
                Ok(())
            }
            .boxed()
        })
        .await
}
