//! The listing form's fields in a category, and the names of the fields.

use vintedbot_marketplace::catalog::{CatalogIndex, FieldRule};
use vintedbot_marketplace::{Field, Language, Named};

/// A field of the listing form in a leaf category.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CategoryField {
    /// The site's code; see [`code`].
    pub code: &'static str,
    /// The field's name in the account's language.
    pub title: &'static str,
    pub required: bool,
    pub selection_limit: u32,
    /// The values to choose from. Empty for the brand, which is found by search.
    pub options: Vec<FieldOption>,
}

/// A value that can be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldOption {
    pub id: i64,
    pub name: String,
    /// The heading of the value's group. Empty: none.
    pub group: String,
}

/// Returns the site's code of a field.
pub fn code(field: Field) -> &'static str {
    match field {
        Field::Colors => "color",
        Field::Materials => "material",
        other => other.name(),
    }
}

/// Returns the name of a field (French: as seen on the site's form, 2026-11, confidence B). The English and German
/// names are ours, except those of the buttons.
pub fn label(field: Field, language: Language) -> &'static str {
    let (english, french, german) = match field {
        Field::Photos => ("Photos", "Photos", "Fotos"),
        Field::Title => ("Title", "Titre", "Titel"),
        Field::Description => ("Description", "Description", "Beschreibung"),
        Field::Category => ("Category", "Catégorie", "Kategorie"),
        Field::Brand => ("Brand", "Marque", "Marke"),
        Field::Size => ("Size", "Taille", "Größe"),
        Field::Condition => ("Condition", "État", "Zustand"),
        Field::Colors => ("Colours", "Couleurs", "Farben"),
        Field::Materials => ("Materials", "Matières", "Materialien"),
        Field::Price => ("Price", "Prix", "Preis"),
        Field::PackageSize => ("Parcel size", "Format du colis", "Paketgröße"),
        Field::Bump => ("Bump", "Booster", "Pushen"),
        Field::SaveDraft => ("Save draft", "Sauvegarder le brouillon", "Entwurf speichern"),
        Field::Publish => ("Publish", "Ajouter", "Hochladen"),
    };
    match language {
        Language::De => german,
        Language::En => english,
        Language::Fr => french,
    }
}

/// Returns the fields of a leaf category in the form's order. Empty for any other category.
pub(super) fn of_category(index: &CatalogIndex, category_id: i64) -> Vec<CategoryField> {
    let Some(rules) = index.fields(category_id) else {
        return Vec::new();
    };
    let language = index.catalog().language;
    let field = |field: Field, rule: &Option<FieldRule>, options: Vec<FieldOption>| {
        rule.as_ref().map(|rule| CategoryField {
            code: code(field),
            title: label(field, language),
            required: rule.required,
            selection_limit: rule.selection_limit.max(1),
            options,
        })
    };
    [
        field(Field::Brand, &rules.brand, Vec::new()),
        field(Field::Size, &rules.size, sizes(index, category_id)),
        field(
            Field::Condition,
            &rules.condition,
            plain(index.conditions(category_id)),
        ),
        field(Field::Colors, &rules.color, plain(index.colors(category_id))),
        field(
            Field::Materials,
            &rules.material,
            plain(index.materials(category_id)),
        ),
        field(
            Field::PackageSize,
            &rules.package_size,
            plain(index.package_sizes(category_id)),
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Returns the sizes of a leaf category with the headings of their groups.
pub(super) fn sizes(index: &CatalogIndex, category_id: i64) -> Vec<FieldOption> {
    let groups = index.size_groups(category_id);
    let in_group = |group: &str, size: &Named| FieldOption {
        id: size.id,
        name: size.name.clone(),
        group: group.to_owned(),
    };
    groups
        .into_iter()
        .flat_map(|group| group.sizes.iter().map(|size| in_group(&group.name, size)))
        .collect()
}

fn plain(named: Vec<&Named>) -> Vec<FieldOption> {
    named
        .into_iter()
        .map(|n| FieldOption {
            id: n.id,
            name: n.name.clone(),
            group: String::new(),
        })
        .collect()
}
