//! Constructors for small values of the contract.

use prost_types::FieldMask;
use vintedbot_proto::v1::{Money, NameOrId, name_or_id};

/// An entry of the catalogue by its name in the account's language: `name("Homme > Sweats")`, `name("bon")`.
#[must_use]
pub fn name(name: impl Into<String>) -> NameOrId {
    NameOrId {
        value: Some(name_or_id::Value::Name(name.into())),
    }
}

/// An entry of the catalogue by the marketplace's id.
#[must_use]
pub fn id(id: i64) -> NameOrId {
    NameOrId {
        value: Some(name_or_id::Value::Id(id)),
    }
}

/// An amount in the currency's minor unit: `money(1250, "EUR")` is 12.50 euro.
#[must_use]
pub fn money(minor_units: i64, currency_code: impl Into<String>) -> Money {
    Money {
        minor_units,
        currency_code: currency_code.into(),
    }
}

/// The fields that an update changes: `mask(["title", "price"])`.
#[must_use]
pub fn mask<P: Into<String>>(paths: impl IntoIterator<Item = P>) -> FieldMask {
    FieldMask {
        paths: paths.into_iter().map(Into::into).collect(),
    }
}
