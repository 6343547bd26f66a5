//! `PreviewListing`: shows a listing as it will look on the site.

use vintedbot_marketplace::limits::Violation;
use vintedbot_marketplace::{Field, Named};

use super::content::current;
use super::{get, price_text};
use crate::identity::Caller;
use crate::media::Photo;
use crate::{Context, Result, accounts, catalog};

/// A listing as it will look on the site.
#[derive(Clone, Debug)]
pub struct Preview {
    pub title: String,
    pub description: String,
    /// The price in the account's language. Empty: no price.
    pub price_text: String,
    pub details: Vec<Detail>,
    pub photos: Vec<Photo>,
    /// The site on which it would be published.
    pub site: String,
    /// All violations that prevent publication, in the form's order.
    pub violations: Vec<Violation>,
}

/// A line of the item's details, in the account's language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detail {
    /// The site's code of the field.
    pub code: &'static str,
    pub label: &'static str,
    pub value: String,
}

/// Returns a preview of the caller's listing. Sends no request to the site.
pub async fn preview(context: &Context, caller: &Caller, id: &str) -> Result<Preview> {
    let listing = get(context, caller, id).await?;
    let account = accounts::get(context, caller, &listing.account_id).await?;
    let current = current(context, &listing, &account).await?;
    let draft = current.draft;
    let several = |named: &[Named]| {
        named
            .iter()
            .map(|n| n.name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let one = |named: &Option<Named>| several(named.as_slice());
    let details = [
        (Field::Category, one(&draft.category)),
        (Field::Brand, one(&draft.brand)),
        (Field::Size, one(&draft.size)),
        (Field::Condition, one(&draft.condition)),
        (Field::Colors, several(&draft.colors)),
        (Field::Materials, several(&draft.materials)),
        (Field::PackageSize, one(&draft.package_size)),
    ];
    let details = details
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(field, value)| Detail {
            code: catalog::code(field),
            label: catalog::label(field, account.language),
            value,
        });
    Ok(Preview {
        price_text: draft
            .price
            .as_ref()
            .map(|price| price_text(price, account.language))
            .unwrap_or_default(),
        title: draft.title,
        description: draft.description,
        details: details.collect(),
        photos: current.photos,
        site: account.site,
        violations: current.violations,
    })
}
