//! The content of a listing as the site receives it, and the violations that prevent publication.

use vintedbot_marketplace::catalog::CatalogIndex;
use vintedbot_marketplace::limits::{Violation as LimitViolation, ViolationKind, validate};
use vintedbot_marketplace::{CategoryChoice, Field, ItemContent, Named};

use super::Listing;
use super::input::{by_id, path, submission};
use super::row::Draft;
use crate::accounts::Account;
use crate::catalog::{self, NameKind};
use crate::media::{self, Photo};
use crate::{Context, Error, Fault, Result, Violation};

/// A listing whose choices have their present names in the account's catalogue.
pub(super) struct Current {
    pub draft: Draft,
    pub photos: Vec<Photo>,
    /// All violations that prevent publication, in the form's order.
    pub violations: Vec<LimitViolation>,
    category: Option<CategoryChoice>,
}

pub(super) async fn current(context: &Context, listing: &Listing, account: &Account) -> Result<Current> {
    let index = catalog::of_account(context, account).await?;
    let photos = media::by_ids(context.store.reader(), &listing.workspace_id, &listing.photo_ids).await?;
    let draft = Draft::from(listing);
    let (market, home) = (account.site_market()?, account.home_market()?);
    let mut violations = validate(
        &submission(&draft, photos.len()),
        &index,
        market,
        home,
        &context.limits,
    );
    // The limits accept unknown brands. The form, however, is filled by name, and an unknown brand has none.
    if let Some(brand) = draft
        .brand
        .as_ref()
        .filter(|brand| index.brand(brand.id).is_none())
    {
        violations.push(LimitViolation {
            field: Field::Brand,
            kind: ViolationKind::NotOffered,
            description: format!("brand {} does not exist in the catalogue", brand.id),
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

/// Returns the content of a listing as the site receives it.
///
/// # Errors
/// LISTING_INCOMPLETE with all violations that prevent publication; CATALOG_NOT_READY.
pub async fn content_of(context: &Context, listing: &Listing, account: &Account) -> Result<ItemContent> {
    let Current {
        draft,
        photos,
        violations,
        category,
    } = current(context, listing, account).await?;
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
            "is required",
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

/// Replaces the names of all choices by their present names. A choice that no longer exists keeps its stored name.
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
