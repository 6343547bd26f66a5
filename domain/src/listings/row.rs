//! A listing's row, and the draft that is written into it.

use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder};
use serde::{Deserialize, Serialize};
use vintedbot_marketplace::{Field, Money, Named, text};

use super::{Listing, ListingState};
use crate::events::{Kind, PendingEvent};
use crate::store::entities::{listing_photos, listings, photos};
use crate::store::{OfWorkspace, Tx};
use crate::{Error, Result, Violation, media, search};

/// The content of a listing with its names resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Draft {
    pub title: String,
    pub description: String,
    pub price: Option<Money>,
    pub category: Option<Named>,
    pub brand: Option<Named>,
    pub size: Option<Named>,
    pub condition: Option<Named>,
    pub colors: Vec<Named>,
    pub materials: Vec<Named>,
    pub package_size: Option<Named>,
    pub photo_ids: Vec<String>,
}

impl From<&Listing> for Draft {
    /// Texts that an older version stored get the common form.
    fn from(listing: &Listing) -> Self {
        let listing = listing.clone();
        Self {
            title: text::cleaned_name(&listing.title),
            description: text::cleaned(&listing.description).trim().to_owned(),
            price: listing.price,
            category: listing.category,
            brand: listing.brand,
            size: listing.size,
            condition: listing.condition,
            colors: listing.colors,
            materials: listing.materials,
            package_size: listing.package_size,
            photo_ids: listing.photo_ids,
        }
    }
}

/// The names of a row's choices; the ids have separate columns.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct ChoiceNames {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brand: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub colors: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub materials: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package_size: Option<String>,
}

impl ChoiceNames {
    pub fn of(row: &listings::Model) -> Self {
        serde_json::from_str(&row.choice_names).unwrap_or_default()
    }
}

impl Draft {
    /// Writes the given fields into a row.
    pub fn apply(&self, row: &mut listings::Model, fields: &[Field]) -> Result<()> {
        let mut names = ChoiceNames::of(row);
        let ids = |named: &[Named]| serde_json::to_string(&named.iter().map(|n| n.id).collect::<Vec<_>>());
        let all_names = |named: &[Named]| named.iter().map(|n| n.name.clone()).collect();
        let one = |named: &Option<Named>| {
            (
                named.as_ref().map(|n| n.id),
                named.as_ref().map(|n| n.name.clone()),
            )
        };
        for field in fields {
            match field {
                Field::Title => {
                    row.title.clone_from(&self.title);
                    row.title_lower = self.title.to_lowercase();
                }
                Field::Description => row.description.clone_from(&self.description),
                Field::Price => {
                    row.price_minor_units = self.price.as_ref().map(|price| price.minor_units);
                    if let Some(price) = &self.price {
                        row.currency.clone_from(&price.currency);
                    }
                }
                Field::Category => (row.category_id, names.category) = one(&self.category),
                Field::Brand => (row.brand_id, names.brand) = one(&self.brand),
                Field::Size => (row.size_id, names.size) = one(&self.size),
                Field::Condition => (row.condition_id, names.condition) = one(&self.condition),
                Field::PackageSize => (row.package_size_id, names.package_size) = one(&self.package_size),
                Field::Colors => {
                    (row.color_ids, names.colors) = (ids(&self.colors)?, all_names(&self.colors))
                }
                Field::Materials => {
                    (row.material_ids, names.materials) = (ids(&self.materials)?, all_names(&self.materials));
                }
                Field::Photos => row.photo_ids = serde_json::to_string(&self.photo_ids)?,
                Field::Bump | Field::SaveDraft | Field::Publish => {}
            }
        }
        row.choice_names = serde_json::to_string(&names)?;
        Ok(())
    }
}

/// The required values of a new row.
pub(super) struct Fresh<'a> {
    pub workspace_id: &'a str,
    pub account_id: &'a str,
    pub currency: &'a str,
}

/// Inserts a listing and returns its id. The event is emitted at commit.
pub(super) async fn insert(tx: &Tx, fresh: Fresh<'_>, draft: &Draft) -> Result<String> {
    insert_as(tx, fresh, draft, |_| {}).await
}

/// Inserts a listing as [`insert`] does. `complete` sets further values of the row.
pub(super) async fn insert_as(
    tx: &Tx,
    fresh: Fresh<'_>,
    draft: &Draft,
    complete: impl FnOnce(&mut listings::Model) + Send,
) -> Result<String> {
    require_photos(tx, fresh.workspace_id, &draft.photo_ids).await?;
    let now = tx.now().await?;
    let mut row = listings::Model {
        id: tx.id(),
        workspace_id: fresh.workspace_id.to_owned(),
        account_id: fresh.account_id.to_owned(),
        title: String::new(),
        title_lower: String::new(),
        description: String::new(),
        price_minor_units: None,
        currency: fresh.currency.to_owned(),
        category_id: None,
        brand_id: None,
        size_id: None,
        condition_id: None,
        color_ids: "[]".to_owned(),
        material_ids: "[]".to_owned(),
        package_size_id: None,
        choice_names: "{}".to_owned(),
        photo_ids: "[]".to_owned(),
        state: ListingState::Draft,
        active_publish_job_id: None,
        hidden: false,
        under_review: false,
        remote_item_id: None,
        remote_url: None,
        remote_site: None,
        publish_time: None,
        create_time: now,
        update_time: now,
        sequence: 0,
        remote_snapshot: None,
        remote_differences: "[]".to_owned(),
        remote_read_time: None,
    };
    draft.apply(&mut row, &super::input::ALL)?;
    complete(&mut row);
    listings::Entity::insert(row.clone().into_active_model())
        .exec_without_returning(tx)
        .await?;
    link_photos(tx, &row.id, &draft.photo_ids).await?;
    search::update::listing(tx, &row).await?;
    let id = row.id.clone();
    tx.emit(PendingEvent::changed(Kind::ListingCreated, &Listing::from(row))?);
    Ok(id)
}

/// Writes a changed row. The event is emitted at commit. `photo_ids`: the photos, if they have changed.
pub(crate) async fn save(tx: &Tx, mut row: listings::Model, photo_ids: Option<&[String]>) -> Result<()> {
    row.update_time = tx.now().await?;
    row.clone().into_active_model().reset_all().update(tx).await?;
    if let Some(photo_ids) = photo_ids {
        listing_photos::Entity::delete_many()
            .filter(listing_photos::Column::ListingId.eq(row.id.as_str()))
            .exec(tx)
            .await?;
        link_photos(tx, &row.id, photo_ids).await?;
    }
    search::update::listing(tx, &row).await?;
    tx.emit(PendingEvent::changed(Kind::ListingUpdated, &Listing::from(row))?);
    Ok(())
}

/// Sets the unfinished publish job of a listing. Does nothing if the listing was deleted or has this value already.
pub(crate) async fn set_active_job(tx: &Tx, listing_id: &str, job_id: Option<&str>) -> Result<()> {
    let Some(row) = tx
        .locked(listings::Entity::find_by_id(listing_id))
        .one(tx)
        .await?
    else {
        return Ok(());
    };
    if row.active_publish_job_id.as_deref() == job_id {
        return Ok(());
    }
    let row = listings::Model {
        active_publish_job_id: job_id.map(str::to_owned),
        ..row
    };
    save(tx, row, None).await
}

/// Reads the row of the caller's listing without a lock, for callers that must lock another row first.
pub(crate) async fn get_row(tx: &Tx, workspace_id: &str, id: &str) -> Result<listings::Model> {
    listings::Entity::find_by_id(id)
        .of_workspace(workspace_id)
        .one(tx)
        .await?
        .ok_or_else(|| Error::not_found("listing", id))
}

/// Loads the row of the caller's listing and locks it until the end of the transaction.
pub(crate) async fn load(tx: &Tx, workspace_id: &str, id: &str) -> Result<listings::Model> {
    tx.locked(listings::Entity::find_by_id(id).of_workspace(workspace_id))
        .one(tx)
        .await?
        .ok_or_else(|| Error::not_found("listing", id))
}

/// Checks that photos belong to the workspace. Locks them in id order, so that the transaction excludes their deletion.
pub(crate) async fn require_photos(tx: &Tx, workspace_id: &str, ids: &[String]) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let query = photos::Entity::find()
        .of_workspace(workspace_id)
        .filter(photos::Column::Id.is_in(ids.iter().map(String::as_str)))
        .order_by_asc(photos::Column::Id);
    let found = tx.locked(query).all(tx).await?;
    let violations: Vec<_> = ids
        .iter()
        .enumerate()
        .filter(|(_, id)| !found.iter().any(|photo| photo.id == **id))
        .map(|(at, id)| {
            Violation::new(
                format!("listing.photo_ids[{at}]"),
                format!("there is no photo {id}"),
            )
        })
        .collect();
    if violations.is_empty() {
        Ok(())
    } else {
        Err(Error::Invalid(violations))
    }
}

async fn link_photos(tx: &Tx, listing_id: &str, photo_ids: &[String]) -> Result<()> {
    media::mark_used(tx, photo_ids).await?;
    let links = photo_ids.iter().map(|photo_id| {
        listing_photos::Model {
            photo_id: photo_id.clone(),
            listing_id: listing_id.to_owned(),
        }
        .into_active_model()
    });
    listing_photos::Entity::insert_many(links)
        .exec_without_returning(tx)
        .await?;
    Ok(())
}
