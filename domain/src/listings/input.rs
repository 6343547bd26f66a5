//! The caller's input for a listing. Names are resolved to ids, and given values must be within the site's limits. All
//! violations are reported in one error.

use serde::Serialize;
use vintedbot_marketplace::catalog::{Catalog, CatalogIndex, ResolveError};
use vintedbot_marketplace::limits::{Limits, Submission, ViolationKind, validate};
use vintedbot_marketplace::{Field, Language, Money, Named, text};

use super::row::Draft;
use crate::accounts::Account;
use crate::catalog::{self, NAME_MAX, NameKind, QUERIES_MAX, anywhere, resolve, unknown};
use crate::{Context, Error, Fault, Reason, Result, Violation};

/// A catalogue entry, by id or by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum NameOrId {
    Id(i64),
    /// A name in the account's language.
    Name(String),
}

/// The caller's input for a listing. Names are in the account's language.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ListingInput {
    /// Empty: absent.
    pub title: String,
    /// Empty: absent.
    pub description: String,
    /// The price. An empty currency stands for the currency of the account's market.
    pub price: Option<Money>,
    pub category: Option<NameOrId>,
    pub brand: Option<NameOrId>,
    /// The size. A name requires a category.
    pub size: Option<NameOrId>,
    pub condition: Option<NameOrId>,
    pub colors: Vec<NameOrId>,
    /// The materials. Names require a category.
    pub materials: Vec<NameOrId>,
    pub package_size: Option<NameOrId>,
    pub photo_ids: Vec<String>,
}

/// All fields that a caller can set, in the order in which they are applied.
pub(super) const ALL: [Field; 11] = [
    Field::Title,
    Field::Description,
    Field::Price,
    Field::Category,
    Field::Brand,
    Field::Size,
    Field::Condition,
    Field::Colors,
    Field::Materials,
    Field::PackageSize,
    Field::Photos,
];

/// Returns a field's name in requests and responses.
pub(super) fn path(field: Field) -> &'static str {
    match field {
        Field::Photos => "photo_ids",
        other => other.name(),
    }
}

impl NameOrId {
    fn normalized(self) -> Self {
        match self {
            Self::Name(name) => Self::Name(text::normalize_name(&name).into_owned()),
            id => id,
        }
    }
}

impl ListingInput {
    /// Returns the input with its texts in the common form. Every call that takes an input does this first, so that a
    /// repeated call has equal parameters.
    pub(crate) fn normalized(self) -> Self {
        let one = |given: Option<NameOrId>| given.map(NameOrId::normalized);
        let several =
            |given: Vec<NameOrId>| -> Vec<NameOrId> { given.into_iter().map(NameOrId::normalized).collect() };
        Self {
            title: text::normalize_name(&self.title).into_owned(),
            description: text::normalize(&self.description).into_owned(),
            price: self.price,
            category: one(self.category),
            brand: one(self.brand),
            size: one(self.size),
            condition: one(self.condition),
            colors: several(self.colors),
            materials: several(self.materials),
            package_size: one(self.package_size),
            photo_ids: self.photo_ids,
        }
    }

    /// Returns the fields that are present.
    pub(super) fn present(&self) -> Vec<Field> {
        let present = |field: &Field| match field {
            Field::Title => !self.title.is_empty(),
            Field::Description => !self.description.is_empty(),
            Field::Price => self.price.is_some(),
            Field::Category => self.category.is_some(),
            Field::Brand => self.brand.is_some(),
            Field::Size => self.size.is_some(),
            Field::Condition => self.condition.is_some(),
            Field::Colors => !self.colors.is_empty(),
            Field::Materials => !self.materials.is_empty(),
            Field::PackageSize => self.package_size.is_some(),
            Field::Photos => !self.photo_ids.is_empty(),
            Field::Bump | Field::SaveDraft | Field::Publish => false,
        };
        ALL.into_iter().filter(present).collect()
    }

    fn names_choices(&self, fields: &[Field]) -> bool {
        let choices = [
            (Field::Category, self.category.is_some()),
            (Field::Brand, self.brand.is_some()),
            (Field::Size, self.size.is_some()),
            (Field::Condition, self.condition.is_some()),
            (Field::Colors, !self.colors.is_empty()),
            (Field::Materials, !self.materials.is_empty()),
            (Field::PackageSize, self.package_size.is_some()),
        ];
        choices
            .into_iter()
            .any(|(field, given)| given && fields.contains(&field))
    }
}

/// Applies `fields` of `input` to `current` and returns the result. `extra_photos` is the number of photos uploaded in
/// the same call. A text that does not change is not checked again: the site itself may have accepted it.
///
/// # Errors
/// TOO_MANY_PHOTOS; a list of more than 100 names; NAME_AMBIGUOUS or NAME_UNKNOWN if a single name is the only fault;
/// otherwise all violations in one error, names included. CATALOG_NOT_READY if a choice is given and the catalogue has
/// not been read.
pub(super) async fn take_over(
    context: &Context,
    account: &Account,
    current: Draft,
    input: &ListingInput,
    fields: &[Field],
    extra_photos: usize,
) -> Result<Draft> {
    let (market, home) = (account.site_market()?, account.home_market()?);
    let photo_count = input.photo_ids.len() + extra_photos;
    let max_photos = photos_max(&context.limits);
    if fields.contains(&Field::Photos) && photo_count > max_photos {
        return Err(too_many_photos(photo_count, max_photos));
    }
    // Resolving takes time for each name, so an excessive list is refused before.
    for (field, given) in [
        (Field::Colors, &input.colors),
        (Field::Materials, &input.materials),
    ] {
        if fields.contains(&field) && given.len() > QUERIES_MAX {
            let text = format!("{} given, at most {QUERIES_MAX} can be resolved", given.len());
            return Err(Error::invalid(format!("listing.{}", path(field)), text));
        }
    }
    // A listing with only text and photos needs no catalogue.
    let index = if input.names_choices(fields) {
        Some(catalog::of_account(context, account).await?)
    } else {
        None
    };
    let nothing = empty(account.language);
    let index = index.as_deref().unwrap_or(&nothing);
    let mut taker = Taker {
        index,
        anywhere: anywhere(index),
        texts_before: (current.title.clone(), current.description.clone()),
        draft: current,
        violations: Vec::new(),
        names: Vec::new(),
    };
    for field in fields {
        taker.take(*field, input, &market.currency);
    }
    taker.check_lists(fields, context.limits.colors.max, context.limits.materials.max);
    taker.check_photos(fields);
    taker.check_limits(fields, extra_photos, |submission| {
        validate(submission, index, market, home, &context.limits)
    });
    taker.finish()
}

/// Returns the maximum number of photos of a listing.
pub fn photos_max(limits: &Limits) -> usize {
    usize::try_from(limits.photos.max).unwrap_or(usize::MAX)
}

/// Returns the TOO_MANY_PHOTOS error for a listing that may have `max` photos.
pub fn too_many_photos(count: usize, max: usize) -> Error {
    let message = format!("{count} photos given, a listing has at most {max}");
    Error::rejected(Reason::TooManyPhotos, message).with("max_photos", max.to_string())
}

fn empty(language: Language) -> CatalogIndex {
    CatalogIndex::new(Catalog {
        language,
        categories: Vec::new(),
        brands: Vec::new(),
        colors: Vec::new(),
        size_groups: Vec::new(),
        conditions: Vec::new(),
        materials: Vec::new(),
        package_sizes: Vec::new(),
    })
}

/// The reason for which a choice could not be resolved.
enum NameError {
    Name(ResolveError),
    Id { field: Field, id: i64 },
}

struct Taker<'a> {
    index: &'a CatalogIndex,
    anywhere: CatalogIndex,
    /// The title and the description before the change.
    texts_before: (String, String),
    draft: Draft,
    violations: Vec<Violation>,
    names: Vec<(String, NameError)>,
}

impl Taker<'_> {
    /// Fields must be applied in the order of [`ALL`], because others depend on the category.
    fn take(&mut self, field: Field, input: &ListingInput, currency: &str) {
        match field {
            Field::Title => input.title.trim().clone_into(&mut self.draft.title),
            Field::Description => input.description.trim().clone_into(&mut self.draft.description),
            Field::Price => {
                self.draft.price = input.price.clone().map(|price| match price.currency.as_str() {
                    "" => Money {
                        currency: currency.to_owned(),
                        ..price
                    },
                    _ => price,
                });
            }
            Field::Category => {
                self.draft.category = self.one(field, NameKind::Category, input.category.as_ref())
            }
            Field::Brand => self.draft.brand = self.one(field, NameKind::Brand, input.brand.as_ref()),
            Field::Size => self.draft.size = self.one(field, NameKind::Size, input.size.as_ref()),
            Field::Condition => {
                self.draft.condition = self.one(field, NameKind::Condition, input.condition.as_ref())
            }
            Field::PackageSize => {
                self.draft.package_size = self.one(field, NameKind::PackageSize, input.package_size.as_ref());
            }
            Field::Colors => self.draft.colors = self.several(field, NameKind::Color, &input.colors),
            Field::Materials => {
                self.draft.materials = self.several(field, NameKind::Material, &input.materials)
            }
            Field::Photos => self.draft.photo_ids.clone_from(&input.photo_ids),
            Field::Bump | Field::SaveDraft | Field::Publish => {}
        }
    }

    fn one(&mut self, field: Field, kind: NameKind, given: Option<&NameOrId>) -> Option<Named> {
        given.and_then(|given| self.choice(field, format!("listing.{}", path(field)), kind, given))
    }

    fn several(&mut self, field: Field, kind: NameKind, given: &[NameOrId]) -> Vec<Named> {
        let numbered = given.iter().enumerate();
        numbered
            .filter_map(|(at, given)| {
                self.choice(field, format!("listing.{}[{at}]", path(field)), kind, given)
            })
            .collect()
    }

    fn choice(&mut self, field: Field, path: String, kind: NameKind, given: &NameOrId) -> Option<Named> {
        let category_id = self.draft.category.as_ref().map(|category| category.id);
        let found = match given {
            NameOrId::Id(id) => by_id(self.index, kind, *id).ok_or(NameError::Id { field, id: *id }),
            NameOrId::Name(name) if name.trim().is_empty() || text::length(name) > NAME_MAX => {
                self.violations.push(Violation::new(
                    path,
                    format!("must have 1 to {NAME_MAX} characters"),
                ));
                return None;
            }
            NameOrId::Name(_) if needs_category(kind) && category_id.is_none() => {
                // If the category itself could not be resolved, that is already reported, with candidates.
                if self.names.iter().any(|(path, _)| path == "listing.category") {
                    return None;
                }
                let text = "a name requires a category here; set the category or use an id";
                self.violations.push(Violation::new(path, text));
                return None;
            }
            // A category that is not a leaf has no options to resolve a name in.
            NameOrId::Name(name) => {
                let leaf = category_id.filter(|id| self.index.fields(*id).is_some());
                resolve(self.index, &self.anywhere, kind, name, leaf).map_err(NameError::Name)
            }
        };
        found.map_err(|error| self.names.push((path, error))).ok()
    }

    /// Without a category, the site's limits do not count the chosen values, so this check does.
    fn check_lists(&mut self, fields: &[Field], max_colors: usize, max_materials: usize) {
        if self.draft.category.is_some() {
            return;
        }
        let lists = [
            (Field::Colors, self.draft.colors.len(), max_colors),
            (Field::Materials, self.draft.materials.len(), max_materials),
        ];
        for (field, count, max) in lists {
            if fields.contains(&field) && count > max {
                let text = format!("{count} given, at most {max} allowed");
                self.violations
                    .push(Violation::new(format!("listing.{}", path(field)), text));
            }
        }
    }

    fn check_photos(&mut self, fields: &[Field]) {
        if !fields.contains(&Field::Photos) {
            return;
        }
        for (at, id) in self.draft.photo_ids.iter().enumerate() {
            if self.draft.photo_ids[..at].contains(id) {
                let field = format!("listing.photo_ids[{at}]");
                self.violations
                    .push(Violation::new(field, format!("photo {id} is given twice")));
            }
        }
    }

    /// Given values must be within the limits; missing values can be added later.
    fn check_limits(
        &mut self,
        fields: &[Field],
        extra_photos: usize,
        validate: impl FnOnce(&Submission<'_>) -> Vec<vintedbot_marketplace::limits::Violation>,
    ) {
        let submission = submission(&self.draft, self.draft.photo_ids.len() + extra_photos);
        let (title, description) = &self.texts_before;
        let stays = |field: Field| match field {
            Field::Title => self.draft.title == *title,
            Field::Description => self.draft.description == *description,
            _ => false,
        };
        for violation in validate(&submission) {
            let later = matches!(
                violation.kind,
                ViolationKind::Missing | ViolationKind::TooShort | ViolationKind::TooFew
            );
            if !later && fields.contains(&violation.field) && !stays(violation.field) {
                let field = format!("listing.{}", path(violation.field));
                let fault = Fault::Limit(violation.kind);
                self.violations
                    .push(Violation::of(fault, field, violation.description));
            }
        }
    }

    fn finish(mut self) -> Result<Draft> {
        if self.violations.is_empty() && self.names.len() == 1 {
            return Err(match self.names.remove(0) {
                (_, NameError::Name(error)) => error.into(),
                (path, NameError::Id { id, .. }) => unknown(&path, id),
            });
        }
        self.violations
            .extend(self.names.into_iter().map(|(path, error)| match error {
                NameError::Name(error) => {
                    let fault = match &error {
                        ResolveError::Ambiguous { .. } => Fault::Ambiguous,
                        ResolveError::Unknown { .. } => Fault::Unknown,
                    };
                    Violation::of(fault, path, error.to_string())
                }
                NameError::Id { field, id } => {
                    let text = format!("{} {id} does not exist in the catalogue", field.name());
                    Violation::of(Fault::Unknown, path, text)
                }
            }));
        if self.violations.is_empty() {
            Ok(self.draft)
        } else {
            Err(Error::Invalid(self.violations))
        }
    }
}

fn needs_category(kind: NameKind) -> bool {
    matches!(kind, NameKind::Size | NameKind::Material)
}

/// Returns a catalogue entry by id, in any category.
pub(crate) fn by_id(index: &CatalogIndex, kind: NameKind, id: i64) -> Option<Named> {
    let all = index.catalog();
    let find = |list: &[Named]| list.iter().find(|named| named.id == id).cloned();
    match kind {
        NameKind::Category => index.category(id).map(|_| Named {
            id,
            name: index.path_name(id),
        }),
        NameKind::Brand => index.brand(id).map(|brand| Named {
            id,
            name: brand.name.clone(),
        }),
        NameKind::Size => all.size_groups.iter().find_map(|group| find(&group.sizes)),
        NameKind::Condition => find(&all.conditions),
        NameKind::Color => find(&all.colors),
        NameKind::Material => find(&all.materials),
        NameKind::PackageSize => find(&all.package_sizes),
    }
}

/// Converts a draft for the check against the site's limits.
pub(super) fn submission(draft: &Draft, photo_count: usize) -> Submission<'_> {
    let id = |named: &Option<Named>| named.as_ref().map(|named| named.id);
    let ids = |named: &[Named]| named.iter().map(|named| named.id).collect();
    Submission {
        title: &draft.title,
        description: &draft.description,
        photo_count,
        price: draft.price.as_ref(),
        category_id: id(&draft.category),
        brand_id: id(&draft.brand),
        size_id: id(&draft.size),
        condition_id: id(&draft.condition),
        color_ids: ids(&draft.colors),
        material_ids: ids(&draft.materials),
        package_size_id: id(&draft.package_size),
    }
}
