//! What the site will be told about a listing, and everything that keeps it from being told.

use vintedbot_marketplace::catalog::CatalogIndex;
use vintedbot_marketplace::limits::{Violation as LimitViolation, ViolationKind, validate};
use vintedbot_marketplace::{CategoryChoice, Field, ItemContent, Named};

use super::Listing;
use super::input::{by_id, path, submission};
use super::row::Draft;
use crate::accounts::Account;
use crate::catalog::{self, NameKind};
use crate::media::{self, Photo};
use crate::{Domain, Error, Fault, Result, Violation};

/// A listing with its choices as the account's catalogue has them now.
pub(super) struct Current {
    pub draft: Draft,
    pub photos: Vec<Photo>,
    /// Everything that keeps it from being published, in the form's order.
    pub violations: Vec<LimitViolation>,
    category: Option<CategoryChoice>,
}

pub(super) async fn current(domain: &Domain, listing: &Listing, account: &Account) -> Result<Current> {
    let index = catalog::of_account(domain, account).await?;
    let photos = media::by_ids(domain.store.reader(), &listing.owner_id, &listing.photo_ids).await?;
    let draft = Draft::from(listing);
    let market = account.site_market()?;
    let mut violations = validate(&submission(&draft, photos.len()), &index, market, &domain.limits);
    // The limits let unknown brands pass, but the form is filled by name, and such a brand has none.
    if let Some(brand) = draft
        .brand
        .as_ref()
        .filter(|brand| index.brand(brand.id).is_none())
    {
        violations.push(LimitViolation {
            field: Field::Brand,
            kind: ViolationKind::NotOffered,
            description: format!("there is no brand {}", brand.id),
        });
    }
    let category = draft
        .category
        .as_ref()
        .and_then(|category| index.choice(category.id));
    Ok(Current {
        draft: renamed(draft, &index),
        photos,
        violations,
        category,
    })
}

/// What the site will be told about a listing.
///
/// # Errors
/// LISTING_INCOMPLETE with everything that keeps it from being published; CATALOG_NOT_READY.
pub async fn content_of(domain: &Domain, listing: &Listing, account: &Account) -> Result<ItemContent> {
    let Current {
        draft,
        photos,
        violations,
        category,
    } = current(domain, listing, account).await?;
    if !violations.is_empty() {
        let violations = violations
            .into_iter()
            .map(|v| Violation::of(Fault::Limit(v.kind), path(v.field), v.description));
        return Err(Error::Incomplete(violations.collect()));
    }
    let missing = |field: &str| {
        Error::Incomplete(vec![Violation::of(
            Fault::Limit(ViolationKind::Missing),
            field,
            "is needed",
        )])
    };
    Ok(ItemContent {
        title: draft.title,
        description: draft.description,
        price: draft.price.ok_or_else(|| missing("price"))?,
        category: category.ok_or_else(|| missing("category"))?,
        brand: draft.brand,
        size: draft.size,
        condition: draft.condition,
        colors: draft.colors,
        materials: draft.materials,
        package_size: draft.package_size,
        photo_sha256s: photos.into_iter().map(|photo| photo.sha256).collect(),
    })
}

/// Gives every choice the name that it has now; one that is gone keeps the name that it had.
fn renamed(mut draft: Draft, index: &CatalogIndex) -> Draft {
    let rename = |named: &mut Named, kind| {
        if let Some(now) = by_id(index, kind, named.id) {
            *named = now;
        }
    };
    let singles = [
        (&mut draft.category, NameKind::Category),
        (&mut draft.brand, NameKind::Brand),
        (&mut draft.size, NameKind::Size),
        (&mut draft.condition, NameKind::Condition),
        (&mut draft.package_size, NameKind::PackageSize),
    ];
    for (named, kind) in singles {
        named.iter_mut().for_each(|named| rename(named, kind));
    }
    draft
        .colors
        .iter_mut()
        .for_each(|named| rename(named, NameKind::Color));
    draft
        .materials
        .iter_mut()
        .for_each(|named| rename(named, NameKind::Material));
    draft
}
