//! Keeping with a listing what was read of its item.

use futures::FutureExt;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use vintedbot_marketplace::{Field, OwnItem};

use super::compare::Difference;
use super::seen::{Pairing, Seen, differences};
use crate::listings::{ListingState, save};
use crate::publishing::{JobKind, State};
use crate::store::Tx;
use crate::store::entities::{listings, publish_jobs};
use crate::{Domain, Result};

/// What was read of an item, and in what it differs from its listing.
#[derive(Clone, Debug)]
pub struct Reading {
    /// `None`: it is not there.
    pub item: Option<OwnItem>,
    pub differences: Vec<Difference>,
    /// Our copies of its photos, where these are others than the listing's.
    pub fetched: Option<Vec<String>>,
}

impl Reading {
    /// The item is not on the site any more.
    pub fn gone() -> Self {
        Self {
            item: None,
            differences: vec![Difference::gone()],
            fetched: None,
        }
    }
}

/// Keeps a reading with a listing. A listing that was deleted here meanwhile needs none.
pub async fn keep(domain: &Domain, listing_id: &str, reading: Reading) -> Result<()> {
    let listing_id = listing_id.to_owned();
    domain
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

/// Whether a job of ours has deleted a listing's item, and it was not just found missing.
async fn was_deleted(tx: &Tx, listing_id: &str) -> Result<bool> {
    let deletion = publish_jobs::Entity::find()
        .filter(publish_jobs::Column::ListingId.eq(listing_id))
        .filter(publish_jobs::Column::Kind.eq(JobKind::Delete))
        .filter(publish_jobs::Column::State.eq(State::Done));
    Ok(deletion.one(tx).await?.is_some())
}

/// Writes a reading into a listing's row, which is locked. An event tells it only where it is news.
pub(crate) async fn note(tx: &Tx, row: listings::Model, reading: Reading) -> Result<()> {
    let mut after = row.clone();
    let mut seen = Seen::of(&row);
    let told = seen
        .item
        .as_ref()
        .map(|item| (item.is_closed, item.is_reserved, item.is_draft));
    let mut is_news = differences(&row) != reading.differences;
    if let Some(item) = reading.item {
        let same_photos = reading
            .differences
            .iter()
            .all(|each| each.field != Field::Photos.name());
        if same_photos && seen.pairing.is_none() {
            seen.pairing = Some(Pairing {
                there: item.photos.iter().map(|photo| photo.id.clone()).collect(),
                here: serde_json::from_str(&row.photo_ids)?,
            });
        }
        is_news |= told != Some((item.is_closed, item.is_reserved, item.is_draft));
        if row.state == ListingState::Draft && row.active_publish_job_id.is_none() && !item.is_draft {
            // A draft of the site's that the member has published there.
            after.state = ListingState::Published;
            after.hidden = item.is_hidden;
            after.publish_time = Some(tx.now().await?);
            is_news = true;
        }
        if row.state == ListingState::Deleted && !was_deleted(tx, &row.id).await? {
            // It was only not to be seen for a while.
            after.state = if item.is_draft {
                ListingState::Draft
            } else {
                ListingState::Published
            };
            is_news = true;
        }
        seen.item = Some(item);
        seen.fetched = reading.fetched;
    }
    seen.write(&mut after)?;
    after.remote_differences = serde_json::to_string(&reading.differences)?;
    after.remote_read_time = Some(tx.now().await?);
    if is_news {
        return save(tx, after, None).await;
    }
    use sea_orm::sea_query::Expr;
    listings::Entity::update_many()
        .col_expr(listings::Column::RemoteSeen, Expr::value(after.remote_seen))
        .col_expr(
            listings::Column::RemoteReadTime,
            Expr::value(after.remote_read_time),
        )
        .filter(listings::Column::Id.eq(after.id))
        .exec(tx)
        .await?;
    Ok(())
}
