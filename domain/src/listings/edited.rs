//! Computes a published listing after a change.

use vintedbot_marketplace::catalog::CatalogIndex;
use vintedbot_marketplace::limits::validate;
use vintedbot_marketplace::{CategoryChoice, Field, ItemContent, Money, Named};

use super::input::{ALL, ListingInput, path, submission, take_over};
use super::row::Draft;
use super::{Listing, update};
use crate::accounts::Account;
use crate::wardrobe::{DesiredItem, Photos};
use crate::{Context, Error, Fault, Result, Violation, catalog, media};

/// A listing after a change.
#[derive(Clone, Debug)]
pub(crate) struct Edited {
    pub content: ItemContent,
    pub desired: DesiredItem,
    pub photo_ids: Vec<String>,
    /// Whether any field changes.
    pub is_change: bool,
    pub keeps_photos: bool,
}

/// Computes `listing` after a change. `mask` names the fields of `input` to apply. Empty: all present fields.
///
/// # Errors
/// Those of `take_over`. Violations of the site's limits, but only in changed fields: unchanged values have passed the
/// site's own checks, and may be older than the catalogue.
pub(crate) async fn edited(
    context: &Context,
    account: &Account,
    listing: &Listing,
    input: &ListingInput,
    mask: &[String],
) -> Result<Edited> {
    let fields = update::fields(mask, input)?;
    let before = Draft::from(listing);
    let after = take_over(context, account, before.clone(), input, &fields, 0).await?;
    let index = catalog::of_account(context, account).await?;
    let changed: Vec<Field> = ALL
        .into_iter()
        .filter(|field| is_other(*field, &before, &after))
        .collect();
    let (market, home) = (account.site_market()?, account.home_market()?);
    let checked = validate(
        &submission(&after, after.photo_ids.len()),
        &index,
        market,
        home,
        &context.limits,
    )
    .into_iter()
    // A change of category can make every other field invalid, except the texts.
    .filter(|violation| {
        let is_text = matches!(violation.field, Field::Title | Field::Description);
        changed.contains(&violation.field) || changed.contains(&Field::Category) && !is_text
    });
    let violations: Vec<_> = checked
        .map(|v| {
            Violation::of(
                Fault::Limit(v.kind),
                format!("listing.{}", path(v.field)),
                v.description,
            )
        })
        .collect();
    if !violations.is_empty() {
        return Err(Error::Invalid(violations));
    }
    let keeps_photos = before.photo_ids == after.photo_ids;
    let snapshot = listing.remote_snapshot.clone().unwrap_or_default();
    let photos = if keeps_photos {
        snapshot.desired(listing).photos
    } else {
        Photos::New {
            count: after.photo_ids.len(),
            old: snapshot
                .photo_mapping
                .map(|photo_mapping| photo_mapping.remote_photo_ids)
                .unwrap_or_default(),
        }
    };
    Ok(Edited {
        content: content(context, account, &after, Some(&index), &listing.workspace_id).await?,
        desired: DesiredItem {
            hidden: None,
            closed: None,
            ..desired(&after, photos)
        },
        photo_ids: after.photo_ids,
        is_change: !changed.is_empty(),
        keeps_photos,
    })
}

/// Returns a listing unchanged, for a change that leaves its content alone.
pub(crate) async fn as_it_is(context: &Context, account: &Account, listing: &Listing) -> Result<Edited> {
    let draft = Draft::from(listing);
    let index = catalog::of_account(context, account).await.ok();
    let photos = listing
        .remote_snapshot
        .clone()
        .unwrap_or_default()
        .desired(listing)
        .photos;
    Ok(Edited {
        content: content(context, account, &draft, index.as_deref(), &listing.workspace_id).await?,
        desired: DesiredItem {
            hidden: None,
            closed: None,
            ..desired(&draft, photos)
        },
        photo_ids: draft.photo_ids,
        is_change: false,
        keeps_photos: true,
    })
}

fn desired(draft: &Draft, photos: Photos) -> DesiredItem {
    let draft = draft.clone();
    DesiredItem {
        title: draft.title,
        description: draft.description,
        price: draft.price,
        category: draft.category,
        brand: draft.brand,
        size: draft.size,
        condition: draft.condition,
        colors: draft.colors,
        materials: draft.materials,
        package_size: draft.package_size,
        photos,
        hidden: None,
        closed: None,
    }
}

/// Returns the content for the form. An item from the site may lack values that a new listing must have.
async fn content(
    context: &Context,
    account: &Account,
    draft: &Draft,
    index: Option<&CatalogIndex>,
    workspace_id: &str,
) -> Result<ItemContent> {
    let photos = media::by_ids(context.store.reader(), workspace_id, &draft.photo_ids).await?;
    let nothing = || Named {
        id: 0,
        name: String::new(),
    };
    let category = draft.category.clone().unwrap_or_else(nothing);
    let category = index
        .and_then(|index| index.choice(category.id))
        .unwrap_or_else(|| CategoryChoice {
            id: category.id,
            path: vec![category],
        });
    let unpriced = || Money {
        minor_units: 0,
        currency: account
            .site_market()
            .map(|market| market.currency.clone())
            .unwrap_or_default(),
    };
    let draft = draft.clone();
    Ok(ItemContent {
        title: draft.title,
        description: draft.description,
        price: draft.price.unwrap_or_else(unpriced),
        category,
        brand: draft.brand,
        size: draft.size,
        condition: draft.condition,
        colors: draft.colors,
        materials: draft.materials,
        package_size: draft.package_size,
        photo_sha256s: photos.into_iter().map(|photo| photo.sha256).collect(),
    })
}

/// Returns whether a field differs. Choices are compared by id, so a changed name is not a difference.
fn is_other(field: Field, before: &Draft, after: &Draft) -> bool {
    let id = |named: &Option<Named>| named.as_ref().map(|named| named.id);
    let ids = |named: &[Named]| named.iter().map(|named| named.id).collect::<Vec<_>>();
    match field {
        Field::Title => before.title != after.title,
        Field::Description => before.description != after.description,
        Field::Price => before.price != after.price,
        Field::Category => id(&before.category) != id(&after.category),
        Field::Brand => id(&before.brand) != id(&after.brand),
        Field::Size => id(&before.size) != id(&after.size),
        Field::Condition => id(&before.condition) != id(&after.condition),
        Field::PackageSize => id(&before.package_size) != id(&after.package_size),
        Field::Colors => ids(&before.colors) != ids(&after.colors),
        Field::Materials => ids(&before.materials) != ids(&after.materials),
        Field::Photos => before.photo_ids != after.photo_ids,
        Field::Bump | Field::SaveDraft | Field::Publish => false,
    }
}
