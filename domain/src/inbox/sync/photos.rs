//! Photos in messages, which are fetched after the words are stored, each until it is here or was tried often enough.

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
use crate::{Domain, Result};

/// How often a photo is tried.
const ATTEMPTS_MAX: u32 = 5;
/// How an attachment that is to be fetched stands in the column; the index over such rows says the same.
const WAITING: &str = "%\"PENDING\"%";

/// A photo that is to be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub thread_id: String,
    pub message_id: String,
    /// Place among the message's attachments.
    pub place: usize,
    pub url: String,
}

/// What came of fetching a photo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    Stored {
        photo_id: String,
    },
    /// It may work later.
    NotNow {
        message: String,
    },
    /// It never will.
    Never {
        message: String,
    },
}

/// Photos that are to be fetched for the account, those of the newest messages first.
pub async fn waiting(domain: &Domain, begun: &Begun, most: usize) -> Result<Vec<Waiting>> {
    let of_site = Query::select()
        .column(threads::Column::Id)
        .from(threads::Entity)
        .and_where(threads::Column::AccountId.eq(begun.seat.account_id.as_str()))
        .and_where(threads::Column::Site.eq(begun.seat.site.as_str()))
        .to_owned();
    let rows = messages::Entity::find()
        .filter(messages::Column::AccountId.eq(begun.seat.account_id.as_str()))
        .filter(messages::Column::Attachments.like(WAITING))
        .filter(messages::Column::ThreadId.in_subquery(of_site))
        .order_by_desc(messages::Column::Time)
        .limit(u64::try_from(most).unwrap_or(u64::MAX))
        .all(domain.store.reader())
        .await?;
    let mut waiting = Vec::new();
    for row in rows {
        for (place, attachment) in entry::parsed(&row)?.into_iter().enumerate() {
            if attachment.state == AttachmentState::Pending && waiting.len() < most {
                waiting.push(Waiting {
                    thread_id: row.thread_id.clone(),
                    message_id: row.id.clone(),
                    place,
                    url: attachment.url,
                });
            }
        }
    }
    Ok(waiting)
}

/// Writes down what came of fetching a photo, and tells it where it is decided.
pub async fn settle(
    domain: &Domain,
    claim: &Claim,
    begun: &Begun,
    photo: &Waiting,
    fetched: Fetched,
) -> Result<()> {
    let (claim, begun, photo) = (claim.clone(), begun.clone(), photo.clone());
    domain
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
                let attachment = attachments.get_mut(photo.place);
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
                let is_decided = attachment.state != AttachmentState::Pending;
                let row = messages::Model {
                    attachments: serde_json::to_string(&attachments)?,
                    ..row
                };
                row.clone().into_active_model().reset_all().update(tx).await?;
                if is_decided && thread.delete_time.is_none() {
                    tx.emit(PendingEvent::changed(Kind::MessageUpdated, &Message::from(row))?);
                }
                Ok(())
            }
            .boxed()
        })
        .await
}
