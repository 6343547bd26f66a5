//! Entries of the catalogue.

use vintedbot_domain::catalog::{CategoryField, CategoryPlace, NameKind, NameQuery, Resolution, SizeChoice};
use vintedbot_marketplace::Named;
use vintedbot_marketplace::catalog::{Brand, Candidate};
use vintedbot_proto::v1;
use vintedbot_proto::v1::resolve_names_response::result::Outcome;

use super::{Fields, saturating_i32};

pub fn category(place: CategoryPlace) -> v1::Category {
    v1::Category {
        id: place.id,
        name: place.name,
        parent_id: place.parent_id,
        path: place.path,
        leaf: place.leaf,
    }
}

pub fn field(field: CategoryField) -> v1::CategoryField {
    let option = |option: vintedbot_domain::catalog::FieldOption| v1::category_field::Option {
        id: option.id,
        name: option.name,
        group: option.group,
    };
    v1::CategoryField {
        code: field.code.to_owned(),
        title: field.title.to_owned(),
        required: field.required,
        selection_limit: saturating_i32(field.selection_limit.into()),
        options: field.options.into_iter().map(option).collect(),
    }
}

pub fn brand(brand: Brand) -> v1::Brand {
    v1::Brand {
        id: brand.id,
        name: brand.name,
        luxury: brand.needs_authenticity_check,
    }
}

pub fn size(size: SizeChoice) -> v1::Size {
    v1::Size {
        id: size.id,
        name: size.name,
        group: size.group,
    }
}

/// Converts a colour. The site's catalogue has no colour values, so `hex` is empty.
pub fn color(color: Named) -> v1::Color {
    v1::Color {
        id: color.id,
        name: color.name,
        hex: String::new(),
    }
}

pub fn condition(condition: Named) -> v1::Condition {
    v1::Condition {
        id: condition.id,
        name: condition.name,
    }
}

pub fn package_size(size: Named) -> v1::PackageSize {
    v1::PackageSize {
        id: size.id,
        name: size.name,
    }
}

pub fn resolved(named: Named) -> v1::ResolvedName {
    v1::ResolvedName {
        id: named.id,
        name: named.name,
    }
}

fn candidate(candidate: Candidate) -> v1::ResolvedName {
    v1::ResolvedName {
        id: candidate.id,
        name: candidate.name,
    }
}

pub fn name_query(fields: &mut Fields, at: usize, query: v1::resolve_names_request::Query) -> NameQuery {
    let kind = fields.enumeration(&format!("queries[{at}].kind"), query.kind, name_kind);
    // The fallback kind is never looked up, because the request is refused.
    NameQuery {
        kind: kind.unwrap_or(NameKind::Category),
        name: query.name,
        category_id: query.category_id,
    }
}

fn name_kind(kind: v1::NameKind) -> Option<NameKind> {
    match kind {
        v1::NameKind::Unspecified => None,
        v1::NameKind::Category => Some(NameKind::Category),
        v1::NameKind::Brand => Some(NameKind::Brand),
        v1::NameKind::Size => Some(NameKind::Size),
        v1::NameKind::Condition => Some(NameKind::Condition),
        v1::NameKind::Color => Some(NameKind::Color),
        v1::NameKind::Material => Some(NameKind::Material),
        v1::NameKind::PackageSize => Some(NameKind::PackageSize),
    }
}

pub fn resolution(resolution: Resolution) -> v1::resolve_names_response::Result {
    let (outcome, found, candidates) = match resolution {
        Resolution::Resolved(named) => (Outcome::Resolved, Some(resolved(named)), Vec::new()),
        Resolution::Ambiguous(candidates) => (Outcome::Ambiguous, None, candidates),
        Resolution::Unknown(candidates) => (Outcome::Unknown, None, candidates),
    };
    v1::resolve_names_response::Result {
        outcome: outcome.into(),
        r#match: found,
        candidates: candidates.into_iter().map(candidate).collect(),
    }
}
