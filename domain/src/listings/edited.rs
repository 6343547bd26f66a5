//! What a listing that is on the site becomes by a change of it.

use vintedbot_marketplace::catalog::CatalogIndex;
use vintedbot_marketplace::limits::validate;
use vintedbot_marketplace::{CategoryChoice, Field, ItemContent, Money, Named};

use super::input::{ALL, ListingInput, path, submission, take_over};
use super::row::Draft;
use super::{Listing, update};
use crate::accounts::Account;
use crate::wardrobe::{Photos, Said};
use crate::{Domain, Error, Fault, Result, Violation, catalog, media};

/// A listing as it will be.
#[derive(Clone, Debug)]
pub(crate) struct Edited {
    pub content: ItemContent,
    pub said: Said,
    pub photo_ids: Vec<String>,
    /// Whether any of it is new.
    pub is_change: bool,
    pub keeps_photos: bool,
}

/// What `listing` becomes when these fields of `input` are taken over; of a mask that is empty, those that are present.
///
/// # Errors
/// As `take_over`; violations of the site's limits in fields that change. What stays as it is has passed the site's own
/// checks, and is not judged by ours: what it says may be older than the catalogue.
pub(crate) async fn edited(
    domain: &Domain,
    account: &Account,
    listing: &Listing,
    input: &ListingInput,
    mask: &[String],
) -> Result<Edited> {
    let fields = update::fields(mask, input)?;
    let before = Draft::from(listing);
    let after = take_over(domain, account, before.clone(), input, &fields, 0).await?;
    let index = catalog::of_account(domain, account).await?;
    let changed: Vec<Field> = ALL
        .into_iter()
        .filter(|field| is_other(*field, &before, &after))
        .collect();
    let market = account.site_market()?;
    let judged = validate(
        &submission(&after, after.photo_ids.len()),
        &index,
        market,
        &domain.limits,
    )
    .into_iter()
    // Of another category, everything else may be wrong too.
    .filter(|violation| changed.contains(&Field::Category) || changed.contains(&violation.field));
    let violations: Vec<_> = judged
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
    let seen = listing.seen.clone().unwrap_or_default();
    let photos = if keeps_photos {
        seen.said(listing).photos
    } else {
        Photos::New {
            count: after.photo_ids.len(),
            old: seen.pairing.map(|pairing| pairing.there).unwrap_or_default(),
        }
    };
    Ok(Edited {
        content: content(domain, account, &after, Some(&index), &listing.owner_id).await?,
        said: Said {
            hidden: None,
            closed: None,
            ..said(&after, photos)
        },
        photo_ids: after.photo_ids,
        is_change: !changed.is_empty(),
        keeps_photos,
    })
}

/// A listing as it is, for a change that leaves everything in it alone.
pub(crate) async fn as_it_is(domain: &Domain, account: &Account, listing: &Listing) -> Result<Edited> {
    let draft = Draft::from(listing);
    let index = catalog::of_account(domain, account).await.ok();
    let photos = listing.seen.clone().unwrap_or_default().said(listing).photos;
    Ok(Edited {
        content: content(domain, account, &draft, index.as_deref(), &listing.owner_id).await?,
        said: Said {
            hidden: None,
            closed: None,
            ..said(&draft, photos)
        },
        photo_ids: draft.photo_ids,
        is_change: false,
        keeps_photos: true,
    })
}

fn said(draft: &Draft, photos: Photos) -> Said {
    let draft = draft.clone();
    Said {
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

/// What the form is told. An item from the site may lack what a new one has to have.
async fn content(
    domain: &Domain,
    account: &Account,
    draft: &Draft,
    index: Option<&CatalogIndex>,
    owner_id: &str,
) -> Result<ItemContent> {
    let photos = media::by_ids(domain.store.reader(), owner_id, &draft.photo_ids).await?;
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

/// Whether a field says something else; names alone are nothing else.
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
