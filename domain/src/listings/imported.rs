//! Creates and updates listings from items that are on the site.

use sea_orm::EntityTrait;
use vintedbot_marketplace::{Field, Money, Named, OwnItem, text};

use super::ListingState;
use super::input::ALL;
use super::row::{Draft, Fresh, insert_as};
use crate::Result;
use crate::store::Tx;
use crate::store::entities::listings;
use crate::wardrobe::{DesiredItem, Words};

/// Writes an item's values into a listing's row. Photos change only if `photo_ids` is given.
pub(crate) fn take_over_item(
    row: &mut listings::Model,
    item: &OwnItem,
    words: Words<'_>,
    photo_ids: Option<&[String]>,
) -> Result<()> {
    let draft = draft_of(item, words, photo_ids.unwrap_or_default());
    let fields = ALL
        .into_iter()
        .filter(|field| *field != Field::Photos || photo_ids.is_some());
    draft.apply(row, &fields.collect::<Vec<_>>())
}

/// Writes the approved values of a change into a listing's row.
pub(crate) fn take_over_desired(
    row: &mut listings::Model,
    desired: &DesiredItem,
    photo_ids: &[String],
) -> Result<()> {
    let desired = desired.clone();
    let draft = Draft {
        title: desired.title,
        description: desired.description,
        price: desired.price,
        category: desired.category,
        brand: desired.brand,
        size: desired.size,
        condition: desired.condition,
        colors: desired.colors,
        materials: desired.materials,
        package_size: desired.package_size,
        photo_ids: photo_ids.to_vec(),
    };
    draft.apply(row, &ALL)
}

/// An item to create a listing from.
pub(crate) struct Imported<'a> {
    pub workspace_id: &'a str,
    pub account_id: &'a str,
    pub site: &'a str,
    pub currency: &'a str,
    pub item: &'a OwnItem,
    pub photo_ids: &'a [String],
    /// The JSON of the remote snapshot.
    pub remote_snapshot: String,
}

/// Creates a listing from an item and returns its id. Its state is PUBLISHED, or DRAFT if the item is a draft on the
/// site. The event is emitted at commit.
pub(crate) async fn insert_imported(tx: &Tx, imported: Imported<'_>, words: Words<'_>) -> Result<String> {
    let Imported { item, site, .. } = imported;
    let draft = draft_of(item, words, imported.photo_ids);
    let fresh = Fresh {
        workspace_id: imported.workspace_id,
        account_id: imported.account_id,
        currency: imported.currency,
    };
    let now = tx.now().await?;
    insert_as(tx, fresh, &draft, |row| {
        if !item.is_draft {
            row.state = ListingState::Published;
            row.publish_time = Some(now);
        }
        row.hidden = item.is_hidden;
        row.remote_item_id = Some(item.id.clone());
        row.remote_url = Some(item.url.clone());
        row.remote_site = Some(site.to_owned());
        row.remote_snapshot = Some(imported.remote_snapshot);
        row.remote_read_time = Some(now);
    })
    .await
}

/// Loads a listing's row and locks it until the end of the transaction. `None`: it was deleted here.
pub(crate) async fn find(tx: &Tx, id: &str) -> Result<Option<listings::Model>> {
    Ok(tx.locked(listings::Entity::find_by_id(id)).one(tx).await?)
}

fn draft_of(item: &OwnItem, words: Words<'_>, photo_ids: &[String]) -> Draft {
    let named = |field, id, remote_name: Option<&str>| Named {
        id,
        name: text::cleaned_name(&words.name(field, id, remote_name)),
    };
    let one = |field, id: Option<i64>| id.map(|id| named(field, id, None));
    let several = |field, ids: &[i64]| ids.iter().map(|id| named(field, *id, None)).collect();
    Draft {
        title: text::cleaned_name(&item.title),
        description: text::cleaned(&item.description).trim().to_owned(),
        price: item
            .price
            .clone()
            .filter(|price: &Money| !price.currency.is_empty()),
        category: one(Field::Category, item.category_id),
        brand: item
            .brand_id
            .map(|id| named(Field::Brand, id, item.brand.as_deref())),
        size: one(Field::Size, item.size_id),
        condition: one(Field::Condition, item.condition_id),
        colors: several(Field::Colors, &item.color_ids),
        materials: several(Field::Materials, &item.material_ids),
        package_size: one(Field::PackageSize, item.package_size_id),
        photo_ids: photo_ids.to_vec(),
    }
}
