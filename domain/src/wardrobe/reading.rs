//! Stores the reading of an item with its listing.

use futures::FutureExt;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use vintedbot_marketplace::{Field, OwnItem};

use super::compare::Difference;
use super::snapshot::{PhotoMapping, RemoteSnapshot, differences};
use crate::listings::{ListingState, save};
use crate::publishing::{JobKind, State};
use crate::store::Tx;
use crate::store::entities::{listings, publish_jobs};
use crate::{Context, Result};

/// A reading of an item, and its differences from the listing.
#[derive(Clone, Debug)]
pub struct Reading {
    /// `None`: the item is not on the site.
    pub item: Option<OwnItem>,
    pub differences: Vec<Difference>,
    /// Our copies of the item's photos, if these differ from the listing's.
    pub fetched: Option<Vec<String>>,
}

impl Reading {
    /// Returns the reading of an item that is no longer on the site.
    pub fn gone() -> Self {
        Self {
            item: None,
            differences: vec![Difference::gone()],
            fetched: None,
        }
    }
}

/// Stores a reading with a listing. Does nothing if the listing has been deleted here.
pub async fn store(context: &Context, listing_id: &str, reading: Reading) -> Result<()> {
    let listing_id = listing_id.to_owned();
    context
        .store
        .write(move |tx| {
            let (listing_id, reading) = (listing_id.clone(), reading.clone());
            async move {
                let row = tx
                    .locked(listings::Entity::find_by_id(&listing_id))
                    .one(tx)
                    .await?;
                match row {
                    Some(row) => note(tx, row, reading).await,
                    None => Ok(()),
                }
            }
            .boxed()
        })
        .await
}

/// Returns whether a publish job deleted the listing's item, rather than that the item was found missing.
async fn was_deleted(tx: &Tx, listing_id: &str) -> Result<bool> {
    let deletion = publish_jobs::Entity::find()
        .filter(publish_jobs::Column::ListingId.eq(listing_id))
        .filter(publish_jobs::Column::Kind.eq(JobKind::Delete))
        .filter(publish_jobs::Column::State.eq(State::Done));
    Ok(deletion.one(tx).await?.is_some())
}

/// Writes a reading into a listing's locked row. Emits an event only if a client sees a change.
pub(crate) async fn note(tx: &Tx, row: listings::Model, reading: Reading) -> Result<()> {
    let mut after = row.clone();
    let mut snapshot = RemoteSnapshot::of(&row);
    let flags_before = snapshot
        .item
        .as_ref()
        .map(|item| (item.is_closed, item.is_reserved, item.is_draft));
    let mut is_changed = differences(&row) != reading.differences;
    if let Some(item) = reading.item {
        let same_photos = reading
            .differences
            .iter()
            .all(|each| each.field != Field::Photos.name());
        if same_photos && snapshot.photo_mapping.is_none() {
            snapshot.photo_mapping = Some(PhotoMapping {
                remote_photo_ids: item.photos.iter().map(|photo| photo.id.clone()).collect(),
                photo_ids: serde_json::from_str(&row.photo_ids)?,
            });
        }
        is_changed |= flags_before != Some((item.is_closed, item.is_reserved, item.is_draft));
        if row.state == ListingState::Draft && row.active_publish_job_id.is_none() && !item.is_draft {
            // The member published a draft of the site there.
            after.state = ListingState::Published;
            after.hidden = item.is_hidden;
            after.publish_time = Some(tx.now().await?);
            is_changed = true;
        }
        if row.state == ListingState::Deleted && !was_deleted(tx, &row.id).await? {
            // The item was only temporarily missing.
            after.state = if item.is_draft {
                ListingState::Draft
            } else {
                ListingState::Published
            };
            is_changed = true;
        }
        snapshot.item = Some(item);
        snapshot.fetched = reading.fetched;
    }
    snapshot.write(&mut after)?;
    after.remote_differences = serde_json::to_string(&reading.differences)?;
    after.remote_read_time = Some(tx.now().await?);
    if is_changed {
        return save(tx, after, None).await;
    }
    use sea_orm::sea_query::Expr;
    listings::Entity::update_many()
        .col_expr(
            listings::Column::RemoteSnapshot,
            Expr::value(after.remote_snapshot),
        )
        .col_expr(
            listings::Column::RemoteReadTime,
            Expr::value(after.remote_read_time),
        )
        .filter(listings::Column::Id.eq(after.id))
        .exec(tx)
        .await?;
    Ok(())
}
