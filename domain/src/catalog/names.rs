//! `ResolveNames`: finds the catalogue entries for names that people write.

use vintedbot_marketplace::catalog::{
    Candidate, Catalog, CatalogIndex, Category, CategoryFields, FieldRule, ResolveError,
};
use vintedbot_marketplace::{Named, text};

use super::browse::unknown;
use super::seen_by;
use crate::identity::Caller;
use crate::{Context, Error, Result, Violation};

/// The maximum length of a name, in characters.
pub(crate) const NAME_MAX: usize = 200;
/// The maximum number of names per call.
pub const QUERIES_MAX: usize = 100;
const CANDIDATES_MAX: usize = 20;

/// The kind of entry that a name refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameKind {
    Category,
    Brand,
    Size,
    Condition,
    Color,
    Material,
    PackageSize,
}

/// A name to resolve.
#[derive(Clone, Debug)]
pub struct NameQuery {
    pub kind: NameKind,
    pub name: String,
    /// Required for sizes and materials.
    pub category_id: Option<i64>,
}

/// The result for a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// The entry that has the name.
    Resolved(Named),
    /// Several entries have the name, or none has it and several begin with it; best match first.
    Ambiguous(Vec<Candidate>),
    /// No entry has the name. The candidates begin with it or are similar, best match first.
    Unknown(Vec<Candidate>),
}

/// Resolves names in the account's language, and common names in the languages of all markets. A name that only begins
/// like an entry's name, or resembles it, is not resolved. Results are in the order of the queries.
///
/// # Errors
/// All violations in one error. An ambiguous or unknown name is a result, not an error.
pub async fn resolve_names(
    context: &Context,
    caller: &Caller,
    account_id: &str,
    queries: &[NameQuery],
) -> Result<Vec<Resolution>> {
    check(queries)?;
    let (_, index) = seen_by(context, caller, account_id).await?;
    let anywhere = anywhere(&index);
    queries
        .iter()
        .map(|query| {
            if let Some(id) = query.category_id.filter(|id| index.category(*id).is_none()) {
                return Err(unknown("category_id", id));
            }
            Ok(answer(resolve(
                &index,
                &anywhere,
                query.kind,
                &query.name,
                query.category_id,
            )))
        })
        .collect()
}

fn check(queries: &[NameQuery]) -> Result<()> {
    let mut violations = Vec::new();
    if !(1..=QUERIES_MAX).contains(&queries.len()) {
        violations.push(Violation::new(
            "queries",
            format!("must contain 1 to {QUERIES_MAX} names"),
        ));
    }
    for (at, query) in queries.iter().enumerate() {
        if query.name.trim().is_empty() || text::length(&query.name) > NAME_MAX {
            let text = format!("must have 1 to {NAME_MAX} characters");
            violations.push(Violation::new(format!("queries[{at}].name"), text));
        }
        if matches!(query.kind, NameKind::Size | NameKind::Material) && query.category_id.is_none() {
            violations.push(Violation::new(
                format!("queries[{at}].category_id"),
                "is required for this kind of name",
            ));
        }
    }
    if violations.is_empty() {
        Ok(())
    } else {
        Err(Error::Invalid(violations))
    }
}

fn answer(resolved: std::result::Result<Named, ResolveError>) -> Resolution {
    let at_most = |candidates: Vec<Candidate>| candidates.into_iter().take(CANDIDATES_MAX).collect();
    match resolved {
        Ok(named) => Resolution::Resolved(named),
        Err(ResolveError::Ambiguous { candidates, .. }) => Resolution::Ambiguous(at_most(candidates)),
        Err(ResolveError::Unknown { suggestions, .. }) => Resolution::Unknown(at_most(suggestions)),
    }
}

/// Resolves a name of any kind; all callers use this function. `anywhere` is the result of [`anywhere`] for `index`.
/// Sizes and materials cannot be resolved without a category.
pub(crate) fn resolve(
    index: &CatalogIndex,
    anywhere: &CatalogIndex,
    kind: NameKind,
    name: &str,
    category_id: Option<i64>,
) -> std::result::Result<Named, ResolveError> {
    let name = &*text::normalize_name(name);
    let (offering, category) = category_id.map_or((anywhere, ANYWHERE), |id| (index, id));
    match kind {
        NameKind::Category => {
            let choice = index.resolve_category(name)?;
            Ok(Named {
                id: choice.id,
                name: index.path_name(choice.id),
            })
        }
        NameKind::Brand => index.resolve_brand(name),
        NameKind::Size => index.resolve_size(category, name),
        NameKind::Condition => offering.resolve_condition(category, name),
        NameKind::Color => offering.resolve_color(category, name),
        NameKind::Material => index.resolve_material(category, name),
        NameKind::PackageSize => offering.resolve_package_size(category, name),
    }
}

/// The id of the only category of [`anywhere`]. The site's ids begin at 1.
const ANYWHERE: i64 = 0;

/// Returns a catalogue with one category that offers every condition, colour and package size. Names are looked up in
/// it while no category is known.
pub(crate) fn anywhere(index: &CatalogIndex) -> CatalogIndex {
    let all = || {
        Some(FieldRule {
            required: false,
            selection_limit: 1,
            options: Vec::new(),
        })
    };
    let fields = CategoryFields {
        condition: all(),
        color: all(),
        package_size: all(),
        ..CategoryFields::default()
    };
    let whole = index.catalog();
    CatalogIndex::new(Catalog {
        language: whole.language,
        categories: vec![Category {
            id: ANYWHERE,
            parent_id: None,
            name: String::new(),
            fields: Some(fields),
        }],
        brands: Vec::new(),
        colors: whole.colors.clone(),
        size_groups: Vec::new(),
        conditions: whole.conditions.clone(),
        materials: Vec::new(),
        package_sizes: whole.package_sizes.clone(),
    })
}
