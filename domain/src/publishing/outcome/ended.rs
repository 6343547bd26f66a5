//! Ending a publish job, and the resulting state of its listing.

use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};

use crate::clock::Millis;
use crate::events::{Kind, PendingEvent};
use crate::listings::{Listing, ListingState};
use crate::publishing::job::save;
use crate::publishing::{EffectKind, EffectState, PublishJob, State, changed, work_of};
use crate::store::Tx;
use crate::store::entities::{effects, listings, publish_jobs};
use crate::wardrobe::RemoteSnapshot;
use crate::wardrobe::snapshot::PhotoMapping;
use crate::{Reason, Result, jobs};

/// The end of a publish job.
#[derive(Clone, Debug)]
pub enum Ended<'a> {
    Published {
        hidden: bool,
        url: Option<String>,
    },
    /// The change of an item was made.
    Done,
    Failed {
        reason: Reason,
        message: String,
    },
    Cancelled {
        reason: Reason,
        message: &'a str,
    },
    Expired,
}

/// Ends a job, updates the state of its listing, and queues its work row, so that the worker ends that too.
pub(in crate::publishing) async fn end_in(
    tx: &Tx,
    mut row: publish_jobs::Model,
    ended: Ended<'_>,
) -> Result<PublishJob> {
    row.requires_action = false;
    row.wait_reason = None;
    row.wait_until = None;
    let now = tx.now().await?;
    let kind = match ended {
        Ended::Published { hidden, url } => {
            row.state = State::Published;
            row.hidden = hidden;
            row.remote_url = url;
            row.reason = None;
            row.message = None;
            Kind::PublishJobPublished
        }
        Ended::Done => {
            row.state = State::Done;
            row.reason = None;
            row.message = None;
            Kind::PublishJobDone
        }
        Ended::Failed { reason, message } => {
            row.state = State::Failed;
            row.reason = Some(reason.name());
            row.message = Some(message);
            Kind::PublishJobFailed
        }
        Ended::Cancelled { reason, message } => {
            row.state = State::Cancelled;
            row.reason = Some(reason.name());
            row.message = Some(message.to_owned());
            Kind::PublishJobCancelled
        }
        Ended::Expired => {
            row.state = State::Expired;
            row.reason = Some(Reason::ConfirmationExpired.name());
            row.message = Some("the job was not confirmed in time".to_owned());
            Kind::PublishJobExpired
        }
    };
    update_listing(tx, &row, now).await?;
    let work = work_of(tx, &row.id).await?;
    jobs::requeue(tx, &work, now).await?;
    save(tx, row, kind).await
}

async fn update_listing(tx: &Tx, row: &publish_jobs::Model, now: Millis) -> Result<()> {
    let Some(mut listing) = tx
        .locked(listings::Entity::find_by_id(&row.listing_id))
        .one(tx)
        .await?
    else {
        return Ok(());
    };
    if row.state == State::Published {
        listing.state = ListingState::Published;
        listing.hidden = row.hidden;
        listing.remote_item_id.clone_from(&row.remote_item_id);
        listing.remote_url.clone_from(&row.remote_url);
        listing.remote_site = Some(row.site.clone());
        listing.publish_time = Some(now);
        store_photo_mapping(tx, row, &mut listing).await?;
    } else if row.state == State::Done {
        changed::apply(row, &mut listing)?;
        let photo_ids: Vec<String> = serde_json::from_str(&listing.photo_ids)?;
        listing.active_publish_job_id = listing.active_publish_job_id.filter(|active| *active != row.id);
        return crate::listings::save(tx, listing, Some(&photo_ids)).await;
    } else if listing.state == ListingState::Publishing {
        listing.state = ListingState::Draft;
    }
    listing.active_publish_job_id = listing.active_publish_job_id.filter(|active| *active != row.id);
    listing.update_time = now;
    listing.clone().into_active_model().reset_all().update(tx).await?;
    tx.emit(PendingEvent::changed(
        Kind::ListingUpdated,
        &Listing::from(listing),
    )?);
    Ok(())
}

/// Stores the photo mapping of an item that was just published. The photo ids are those of its draft.
async fn store_photo_mapping(
    tx: &Tx,
    row: &publish_jobs::Model,
    listing: &mut listings::Model,
) -> Result<()> {
    let effect = effects::Entity::find()
        .filter(effects::Column::SubjectId.eq(row.id.as_str()))
        .filter(effects::Column::Kind.eq(EffectKind::Publish))
        .filter(effects::Column::State.eq(EffectState::Done))
        .one(tx)
        .await?;
    let remote_photo_ids: Vec<String> = match effect {
        Some(effect) => serde_json::from_str(&effect.target_photo_ids)?,
        None => Vec::new(),
    };
    let photo_ids: Vec<String> = serde_json::from_str(&listing.photo_ids)?;
    let photo_mapping = (remote_photo_ids.len() == photo_ids.len()).then_some(PhotoMapping {
        remote_photo_ids,
        photo_ids,
    });
    let snapshot = RemoteSnapshot {
        photo_mapping,
        ..RemoteSnapshot::default()
    };
    listing.remote_snapshot = Some(serde_json::to_string(&snapshot)?);
    listing.remote_differences = "[]".to_owned();
    listing.remote_read_time = None;
    Ok(())
}
