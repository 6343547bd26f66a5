//! Categories, brands, sizes, colours, conditions, materials and package sizes.
//!
//! The lists are data files in `data/`. Only the ids of the root categories, the conditions and the package sizes are
//! those of the real site (as seen 2026-11, confidence A and B). All others are invented. To add a category, add it to
//! `data/catalogs.json`; a leaf lists its fields in `asks`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

/// The languages of the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Locale {
    Fr,
    En,
    De,
}

impl Locale {
    /// Parses `fr`, `fr-FR`, `en-uk-fr` and the like. Returns `None` for other languages.
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim().get(..2)?.to_ascii_lowercase().as_str() {
            "fr" => Some(Self::Fr),
            "en" => Some(Self::En),
            "de" => Some(Self::De),
            _ => None,
        }
    }

    pub fn code(self) -> &'static str {
        match self {
            Self::Fr => "fr",
            Self::En => "en",
            Self::De => "de",
        }
    }

    /// Returns the code that the site's own calls send in their `locale` header.
    pub fn header(self) -> &'static str {
        match self {
            Self::Fr => "fr-FR",
            Self::En => "en-FR",
            Self::De => "de-FR",
        }
    }
}

#[derive(Debug, Deserialize)]
pub struct Text {
    fr: String,
    en: String,
    de: String,
}

impl Text {
    pub fn get(&self, locale: Locale) -> &str {
        match locale {
            Locale::Fr => &self.fr,
            Locale::En => &self.en,
            Locale::De => &self.de,
        }
    }
}

#[derive(Debug, Deserialize)]
pub struct Catalog {
    pub id: u64,
    pub title: Text,
    #[serde(default)]
    pub children: Vec<Catalog>,
    /// The fields of a leaf other than title, description, photos, price and package size.
    #[serde(default)]
    pub asks: Vec<String>,
    #[serde(default)]
    pub size_groups: Vec<u64>,
    /// The recommended package size of a leaf.
    #[serde(default)]
    pub package_size_id: u64,
    /// Whether the condition "not fully functional" is allowed.
    #[serde(default)]
    pub broken_allowed: bool,
}

impl Catalog {
    pub fn asks(&self, field: &str) -> bool {
        self.asks.iter().any(|asked| asked == field)
    }
}

#[derive(Debug, Deserialize)]
pub struct Brand {
    pub id: u64,
    pub title: String,
    pub is_luxury: bool,
    pub requires_authenticity_check: bool,
}

#[derive(Debug, Deserialize)]
pub struct Titled {
    pub id: u64,
    pub title: Text,
    #[serde(default)]
    pub hex: String,
    #[serde(default)]
    pub code: String,
    pub description: Option<Text>,
}

#[derive(Debug, Deserialize)]
pub struct SizeGroup {
    pub id: u64,
    pub caption: Text,
    pub sizes: Vec<Titled>,
}

/// The brand id that stands for "no brand" (as seen 2026, confidence B).
pub const NO_BRAND: u64 = 1;
/// The condition id of "not fully functional" (one source says 5; confidence C).
const BROKEN: u64 = 7;

#[derive(Debug)]
pub struct Ontology {
    pub catalogs: Vec<Catalog>,
    pub brands: Vec<Brand>,
    pub size_groups: Vec<SizeGroup>,
    pub colors: Vec<Titled>,
    pub materials: Vec<Titled>,
    pub package_sizes: Vec<Titled>,
    conditions: Vec<Titled>,
    texts: BTreeMap<String, BTreeMap<String, String>>,
}

static ONTOLOGY: LazyLock<Ontology> = LazyLock::new(|| {
    fn read<T: for<'a> Deserialize<'a>>(json: &str) -> T {
        serde_json::from_str(json).expect("the data files in data/ are valid")
    }
    Ontology {
        catalogs: read(include_str!("../data/catalogs.json")),
        brands: read(include_str!("../data/brands.json")),
        size_groups: read(include_str!("../data/size_groups.json")),
        colors: read(include_str!("../data/colors.json")),
        materials: read(include_str!("../data/materials.json")),
        package_sizes: read(include_str!("../data/package_sizes.json")),
        conditions: read(include_str!("../data/conditions.json")),
        texts: read(include_str!("../data/texts.json")),
    }
});

/// Returns the site's ontology.
pub fn ontology() -> &'static Ontology {
    &ONTOLOGY
}

/// Returns the page text with the key `key` in `locale`.
pub fn text(locale: Locale, key: &str) -> &'static str {
    ontology().texts(locale).get(key).map_or("", String::as_str)
}

impl Ontology {
    pub fn texts(&self, locale: Locale) -> &BTreeMap<String, String> {
        &self.texts[locale.code()]
    }

    pub fn catalog(&self, id: u64) -> Option<&Catalog> {
        fn find(list: &[Catalog], id: u64) -> Option<&Catalog> {
            list.iter().find_map(|one| {
                if one.id == id {
                    Some(one)
                } else {
                    find(&one.children, id)
                }
            })
        }
        find(&self.catalogs, id)
    }

    /// Returns the category `id` if items can be listed in it.
    pub fn leaf(&self, id: u64) -> Option<&Catalog> {
        self.catalog(id).filter(|catalog| catalog.children.is_empty())
    }

    /// Returns all categories in which items can be listed, in the order of the tree.
    pub fn leaves(&self) -> Vec<&Catalog> {
        fn below(list: &[Catalog]) -> Vec<&Catalog> {
            list.iter()
                .flat_map(|one| {
                    if one.children.is_empty() {
                        vec![one]
                    } else {
                        below(&one.children)
                    }
                })
                .collect()
        }
        below(&self.catalogs)
    }

    pub fn brand(&self, id: u64) -> Option<&Brand> {
        self.brands.iter().find(|brand| brand.id == id)
    }

    pub fn brand_title(&self, id: u64, locale: Locale) -> Option<&str> {
        if id == NO_BRAND {
            return Some(text(locale, "no_brand"));
        }
        self.brand(id).map(|brand| brand.title.as_str())
    }

    pub fn sizes_of<'a>(&'a self, catalog: &'a Catalog) -> impl Iterator<Item = &'a SizeGroup> {
        self.size_groups
            .iter()
            .filter(|group| catalog.size_groups.contains(&group.id))
    }

    pub fn size_title(&self, id: u64, locale: Locale) -> Option<&str> {
        let sizes = self.size_groups.iter().flat_map(|group| &group.sizes);
        sizes
            .into_iter()
            .find(|size| size.id == id)
            .map(|size| size.title.get(locale))
    }

    pub fn conditions_of<'a>(&'a self, catalog: &'a Catalog) -> impl Iterator<Item = &'a Titled> {
        self.conditions
            .iter()
            .filter(|condition| condition.id != BROKEN || catalog.broken_allowed)
    }

    pub fn condition_title(&self, id: u64, locale: Locale) -> Option<&str> {
        self.conditions
            .iter()
            .find(|one| one.id == id)
            .map(|one| one.title.get(locale))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn leaves<'a>(list: &'a [Catalog], path: &[&'a str]) -> Vec<(Vec<&'a str>, &'a Catalog)> {
        let below = |catalog: &'a Catalog| {
            let path = [path, &[catalog.title.get(Locale::Fr)]].concat();
            if catalog.children.is_empty() {
                vec![(path, catalog)]
            } else {
                leaves(&catalog.children, &path)
            }
        };
        list.iter().flat_map(below).collect()
    }

    #[test]
    fn leaf_name_is_ambiguous_unless_given_with_its_root() {
        let all = leaves(&ontology().catalogs, &[]);
        let named: Vec<_> = all
            .iter()
            .filter(|(path, _)| path.last() == Some(&"Sweats"))
            .collect();
        assert!(named.len() > 1);
        assert_eq!(named.iter().filter(|(path, _)| path[0] == "Hommes").count(), 1);
    }

    #[test]
    fn every_leaf_requires_existing_attributes() {
        let all = leaves(&ontology().catalogs, &[]);
        assert!(all.len() >= 60);
        let ids: BTreeSet<_> = all.iter().map(|(_, leaf)| leaf.id).collect();
        assert_eq!(ids.len(), all.len());
        for (path, leaf) in all {
            let groups = ontology().sizes_of(leaf).count();
            assert_eq!(groups, leaf.size_groups.len(), "{path:?}");
            assert_eq!(leaf.asks("size"), groups > 0, "{path:?}");
            let parcels = &ontology().package_sizes;
            assert!(
                parcels.iter().any(|parcel| parcel.id == leaf.package_size_id),
                "{path:?}"
            );
        }
    }

    #[test]
    fn every_page_text_exists_in_every_language() {
        let keys = |locale| ontology().texts(locale).keys().collect::<Vec<_>>();
        assert_eq!(keys(Locale::Fr), keys(Locale::En));
        assert_eq!(keys(Locale::Fr), keys(Locale::De));
        assert_eq!(
            (ontology().colors.len(), ontology().brands.len() > 100),
            (29, true)
        );
    }
}
