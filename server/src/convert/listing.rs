//! Listings, listing inputs and previews.

use vintedbot_domain::listings::{Listing, ListingInput, ListingState, NameOrId, Preview};
use vintedbot_domain::wardrobe::Difference;
use vintedbot_marketplace::Money;
use vintedbot_marketplace::limits::{Limits, Violation, ViolationKind};
use vintedbot_proto::v1;
use vintedbot_proto::v1::listing::{Remote, RemoteDifference, State};
use vintedbot_proto::v1::violation::Code;

use super::{Fields, catalog, photo, saturating_u64, timestamp};
use crate::signed::Signer;

pub fn to_proto(source: Listing) -> v1::Listing {
    let remote = source.remote.map(|remote| Remote {
        item_id: remote.item_id,
        url: remote.url,
        publish_time: remote.publish_time.map(timestamp),
        hidden: remote.hidden,
        under_review: remote.under_review,
        site: remote.site,
        differences: remote.differences.into_iter().map(difference).collect(),
        read_time: remote.read_time.map(timestamp),
        closed: remote.closed,
        reserved: remote.reserved,
        draft: remote.draft,
    });
    v1::Listing {
        state: state(source.state).into(),
        price: source.price.map(money),
        category: source.category.map(catalog::resolved),
        brand: source.brand.map(catalog::resolved),
        size: source.size.map(catalog::resolved),
        condition: source.condition.map(catalog::resolved),
        colors: source.colors.into_iter().map(catalog::resolved).collect(),
        materials: source.materials.into_iter().map(catalog::resolved).collect(),
        package_size: source.package_size.map(catalog::resolved),
        photo_ids: source.photo_ids,
        remote,
        active_publish_job_id: source.active_publish_job_id.unwrap_or_default(),
        create_time: Some(timestamp(source.create_time)),
        update_time: Some(timestamp(source.update_time)),
        sequence: saturating_u64(source.sequence),
        id: source.id,
        account_id: source.account_id,
        title: source.title,
        description: source.description,
    }
}

fn difference(difference: Difference) -> RemoteDifference {
    RemoteDifference {
        field: difference.field,
        local: difference.local,
        remote: difference.remote,
    }
}

fn money(money: Money) -> v1::Money {
    v1::Money {
        minor_units: money.minor_units,
        currency_code: money.currency,
    }
}

fn state(state: ListingState) -> State {
    match state {
        ListingState::Draft => State::Draft,
        ListingState::Publishing => State::Publishing,
        ListingState::Published => State::Published,
        ListingState::Deleted => State::Deleted,
    }
}

/// Converts a state to filter by.
pub fn from_state(state: State) -> Option<ListingState> {
    match state {
        State::Unspecified => None,
        State::Draft => Some(ListingState::Draft),
        State::Publishing => Some(ListingState::Publishing),
        State::Published => Some(ListingState::Published),
        State::Deleted => Some(ListingState::Deleted),
    }
}

/// Converts a listing input. Its lists have the site's limits, which an operator may change.
pub fn input(fields: &mut Fields, limits: &Limits, source: v1::ListingInput) -> ListingInput {
    let mut one = |field: &str, choice: Option<v1::NameOrId>| {
        choice.and_then(|choice| name_or_id(fields, &format!("listing.{field}"), choice))
    };
    let category = one("category", source.category);
    let brand = one("brand", source.brand);
    let size = one("size", source.size);
    let condition = one("condition", source.condition);
    let package_size = one("package_size", source.package_size);
    let mut several = |field: &str, max: usize, choices: Vec<v1::NameOrId>| {
        let field = format!("listing.{field}");
        let choices = fields.list(&field, max, choices).into_iter().enumerate();
        choices
            .filter_map(|(at, choice)| name_or_id(fields, &format!("{field}[{at}]"), choice))
            .collect()
    };
    let colors = several("colors", limits.colors.max, source.colors);
    let materials = several("materials", limits.materials.max, source.materials);
    let photo_ids = fields.photos(limits, source.photo_ids);
    let photo_ids = fields.ids("listing.photo_ids", photo_ids.len(), photo_ids);
    ListingInput {
        title: source.title,
        description: source.description,
        price: source.price.map(|price| Money {
            minor_units: price.minor_units,
            currency: price.currency_code,
        }),
        category,
        brand,
        size,
        condition,
        colors,
        materials,
        package_size,
        photo_ids,
    }
}

fn name_or_id(fields: &mut Fields, field: &str, choice: v1::NameOrId) -> Option<NameOrId> {
    match fields.required(field, choice.value)? {
        v1::name_or_id::Value::Id(id) => Some(NameOrId::Id(id)),
        v1::name_or_id::Value::Name(name) => Some(NameOrId::Name(name)),
    }
}

pub fn preview(signer: &Signer<'_>, source: Preview) -> v1::PreviewListingResponse {
    let details = source
        .details
        .into_iter()
        .map(|detail| v1::preview_listing_response::Detail {
            code: detail.code.to_owned(),
            label: detail.label.to_owned(),
            value: detail.value,
        });
    v1::PreviewListingResponse {
        title: source.title,
        description: source.description,
        price_text: source.price_text,
        details: details.collect(),
        photos: source
            .photos
            .into_iter()
            .map(|photo| photo::to_proto(signer, photo))
            .collect(),
        site: source.site,
        violations: source.violations.into_iter().map(violation).collect(),
    }
}

fn violation(violation: Violation) -> v1::Violation {
    let code = code(violation.kind);
    let field = match violation.field {
        vintedbot_marketplace::Field::Photos => "photo_ids",
        other => other.name(),
    };
    v1::Violation {
        field: field.to_owned(),
        description: violation.description,
        code: code.into(),
    }
}

/// Returns the contract's code for a violation of the site's rules.
pub fn code(kind: ViolationKind) -> Code {
    match kind {
        ViolationKind::Missing => Code::Required,
        ViolationKind::TooShort | ViolationKind::TooFew => Code::TooFew,
        ViolationKind::TooLong | ViolationKind::TooMany => Code::TooMany,
        ViolationKind::TooManyCapitals => Code::TooManyCapitals,
        ViolationKind::SpecialCharactersInARow | ViolationKind::Emoji => Code::TooManySpecialCharacters,
        ViolationKind::ControlCharacter => Code::Malformed,
        ViolationKind::TooLow | ViolationKind::TooHigh => Code::OutOfRange,
        ViolationKind::NotALeaf => Code::NotALeaf,
        ViolationKind::WrongCurrency
        | ViolationKind::Repeated
        | ViolationKind::NotAskedFor
        | ViolationKind::NotOffered => Code::NotAllowed,
    }
}
