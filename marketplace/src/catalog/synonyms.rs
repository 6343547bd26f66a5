//! Other names of the site's choices, by language.
//!
//! The names are data: `data/aliases.toml`. To make a name known, add it there.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::LazyLock;

use serde::Deserialize;

use super::NO_BRAND;
use crate::Language;
use crate::fold::{Folded, fold, squash};

/// The key of names that are used in every language.
const ANY: &str = "any";

/// Names by language.
type Names = BTreeMap<String, Vec<String>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    condition: BTreeMap<i64, Names>,
    package_size: BTreeMap<i64, Names>,
    brand: BTreeMap<i64, Names>,
    color: BTreeMap<String, Names>,
    size: BTreeMap<String, Names>,
    size_label: Names,
    size_system: SizeSystem,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SizeSystem {
    eu: Vec<String>,
}

/// All known names other than the site's own.
pub(super) struct Known {
    pub condition: Synonyms<i64>,
    pub package_size: Synonyms<i64>,
    pub brand: Synonyms<i64>,
    pub color: Synonyms<String>,
    pub size: Synonyms<String>,
    size_labels: HashSet<String>,
    eu: HashSet<String>,
}

pub(super) static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let file: File =
        toml::from_str(include_str!("../../data/aliases.toml")).expect("the embedded file is read by a test");
    Known {
        condition: Synonyms::new(file.condition),
        package_size: Synonyms::new(file.package_size),
        brand: Synonyms::new(file.brand),
        color: Synonyms::new(file.color),
        size: Synonyms::new(file.size),
        size_labels: file
            .size_label
            .values()
            .flatten()
            .map(|label| fold(label))
            .collect(),
        eu: file.size_system.eu.iter().map(|system| fold(system)).collect(),
    }
});

/// The names of the choices of one field. A meaning is the site's id where the ids are the same in every market, else a
/// key of the file.
pub(super) struct Synonyms<K> {
    names: BTreeMap<K, Names>,
    /// The meanings of each name with their language, by its folded text without blanks.
    meanings: HashMap<String, Vec<(String, K)>>,
    /// Each folded name with its meaning.
    folded: Vec<(String, K)>,
}

impl<K: Ord + Clone> Synonyms<K> {
    fn new(names: BTreeMap<K, Names>) -> Self {
        let mut meanings: HashMap<String, Vec<(String, K)>> = HashMap::new();
        let mut folded = Vec::new();
        for (meaning, by_language) in &names {
            for (language, given) in by_language {
                for name in given {
                    let name = fold(name);
                    meanings
                        .entry(squash(&name))
                        .or_default()
                        .push((language.clone(), meaning.clone()));
                    folded.push((name, meaning.clone()));
                }
            }
        }
        Self {
            names,
            meanings,
            folded,
        }
    }

    /// Returns the meanings of a name in a language. Without a meaning there, returns those in all other languages.
    pub fn meanings(&self, language: Language, name: &Folded) -> BTreeSet<&K> {
        let all = self
            .meanings
            .get(name.squashed())
            .map(Vec::as_slice)
            .unwrap_or_default();
        let own: BTreeSet<&K> = all
            .iter()
            .filter(|(spoken, _)| spoken == language.code() || spoken == ANY)
            .map(|(_, meaning)| meaning)
            .collect();
        if own.is_empty() {
            all.iter().map(|(_, meaning)| meaning).collect()
        } else {
            own
        }
    }

    /// Returns the meanings of the names that begin with these words, in any language.
    pub fn beginning_with(&self, words: &Folded) -> BTreeSet<&K> {
        let is_longer = |name: &str| {
            let rest = name.strip_prefix(words.text());
            rest.is_some_and(|rest| rest.starts_with(' '))
        };
        self.folded
            .iter()
            .filter(|(name, _)| is_longer(name))
            .map(|(_, meaning)| meaning)
            .collect()
    }

    /// Returns the names of a meaning in a language.
    pub fn names(&self, language: Language, meaning: &K) -> Vec<&str> {
        let by_language = self.names.get(meaning);
        [language.code(), ANY]
            .into_iter()
            .filter_map(|language| by_language?.get(language))
            .flatten()
            .map(String::as_str)
            .collect()
    }
}

/// Returns the name of the site's "no brand" in a language.
pub(super) fn no_brand(language: Language) -> &'static str {
    let names = KNOWN.brand.names(language, &NO_BRAND);
    names.first().copied().unwrap_or_default()
}

/// Whether a name says in any language that there is no brand: `Sans marque`, `No brand`. The site would accept it as
/// the name of a custom brand.
pub fn is_no_brand(name: &str) -> bool {
    let all = KNOWN.brand.meanings.get(&squash(&fold(name)));
    all.is_some_and(|all| all.iter().any(|(_, id)| *id == NO_BRAND))
}

/// A size without the words around it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BareSize {
    pub text: String,
    /// Whether it is a European number.
    pub is_eu: bool,
}

/// Removes the words that only say that a text is a size, or name its system: `Taille M`, `Gr. 38`, `EU 38`, `38 EU`.
/// `None`: there is no such word, or nothing is left.
pub(super) fn bare_size(given: &Folded) -> Option<BareSize> {
    let mut words = tokens(given.text());
    let mut is_eu = false;
    let mut is_changed = false;
    loop {
        let at_end = [0, words.len().saturating_sub(1)];
        let Some(at) = at_end.into_iter().find(|at| {
            let word = words.get(*at);
            word.is_some_and(|word| KNOWN.size_labels.contains(word) || KNOWN.eu.contains(word))
        }) else {
            break;
        };
        is_eu |= KNOWN.eu.contains(&words.remove(at));
        is_changed = true;
    }
    let is_number = matches!(&words[..], [word] if word.parse::<f64>().is_ok());
    (is_changed && !words.is_empty() && (!is_eu || is_number)).then(|| BareSize {
        text: words.join(" "),
        is_eu,
    })
}

/// Writes a half after a number as a decimal: `39½` and `39 1/2` as `39,5`.
pub(super) fn with_decimal_half(size: &str) -> Cow<'_, str> {
    let halves = [" 1/2", " ½", "½"];
    match halves.iter().find_map(|half| size.split_once(half)) {
        Some((whole, rest)) if whole.ends_with(|c: char| c.is_ascii_digit()) => {
            Cow::Owned(format!("{whole},5{rest}"))
        }
        _ => Cow::Borrowed(size),
    }
}

/// Returns the largest number in a size's name.
pub(super) fn largest_number(name: &str) -> Option<f64> {
    let numbers = name.split('/').filter_map(|part| fold(part).parse::<f64>().ok());
    numbers.max_by(f64::total_cmp)
}

/// Splits a folded text at blanks, and between letters and digits.
fn tokens(folded: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut before = ' ';
    for c in folded.chars() {
        let is_number = |c: char| c.is_ascii_digit() || c == '.';
        match tokens.last_mut() {
            _ if c == ' ' => {}
            Some(token) if before != ' ' && is_number(before) == is_number(c) => token.push(c),
            _ => tokens.push(c.to_string()),
        }
        before = c;
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::markets::Market;

    fn languages() -> BTreeSet<&'static str> {
        let all = Market::all().iter().flat_map(|market| &market.languages);
        all.map(String::as_str).collect()
    }

    fn lacks(what: &str, names: &Names) -> Vec<String> {
        let has = |language: &str| names.get(language).is_some_and(|names| !names.is_empty());
        let missing = languages().into_iter().filter(|&language| !has(language));
        missing.map(|language| format!("{what} in {language}")).collect()
    }

    #[test]
    fn common_choices_have_a_name_in_every_language() {
        let mut missing = Vec::new();
        for id in [6, 1, 2, 3, 4] {
            missing.extend(lacks(&format!("condition {id}"), &KNOWN.condition.names[&id]));
        }
        for id in [1, 2, 3] {
            missing.extend(lacks(&format!("package {id}"), &KNOWN.package_size.names[&id]));
        }
        missing.extend(lacks("no brand", &KNOWN.brand.names[&NO_BRAND]));
        for color in [
            "black",
            "grey",
            "white",
            "beige",
            "orange",
            "red",
            "pink",
            "purple",
            "blue",
            "green",
            "brown",
            "yellow",
            "silver",
            "gold",
            "multicolour",
        ] {
            missing.extend(lacks(color, &KNOWN.color.names[color]));
        }
        missing.extend(lacks("one size", &KNOWN.size.names["one_size"]));
        missing.extend(lacks("the word for size", &file().size_label));
        assert!(missing.is_empty(), "{missing:?}");
    }

    fn file() -> File {
        toml::from_str(include_str!("../../data/aliases.toml")).expect("the embedded file can be read")
    }

    #[test]
    fn names_are_of_a_markets_language_and_can_be_found() {
        let (known, file) = (languages(), file());
        let by_id = [file.condition, file.package_size, file.brand];
        let by_key = [file.color, file.size];
        let names = by_id.iter().flat_map(BTreeMap::values);
        for names in names.chain(by_key.iter().flat_map(BTreeMap::values)) {
            for (language, names) in names {
                assert!(known.contains(language.as_str()) || language == ANY, "{language}");
                assert!(names.iter().all(|name| !fold(name).is_empty()), "{names:?}");
            }
        }
    }

    #[test]
    fn name_has_one_meaning_in_its_own_language() {
        fn check<K: Ord + Clone + std::fmt::Debug>(synonyms: &Synonyms<K>) {
            for (name, meanings) in &synonyms.meanings {
                for (language, meaning) in meanings {
                    let mut same = meanings.iter().filter(|(other, _)| other == language);
                    assert!(
                        same.all(|(_, other)| other == meaning),
                        "{name} in {language}: {meanings:?}"
                    );
                }
            }
        }
        check(&KNOWN.condition);
        check(&KNOWN.package_size);
        check(&KNOWN.brand);
        check(&KNOWN.color);
        check(&KNOWN.size);
    }

    #[test]
    fn no_brand_is_known_by_its_names_alone() {
        for name in [
            "Sans marque",
            "sans  MARQUE",
            "SansMarque",
            "Ohne Marke",
            "No brand",
            "Bez značky",
            "bez znacky",
            "Χωρίς μάρκα",
            "ΧΩΡΊΣ ΜΆΡΚΑ",
            "Märkeslös",
            "Be prekės ženklo",
        ] {
            assert!(is_no_brand(name), "{name}");
        }
        for name in ["", "Sans", "Marque", "Sans marques", "Nike", "Sans marque Paris"] {
            assert!(!is_no_brand(name), "{name}");
        }
        assert_eq!(no_brand(Language::Fr), "Sans marque");
    }

    #[test]
    fn size_loses_its_label_and_its_system() {
        let bare = |text: &str| bare_size(&Folded::new(text)).map(|size| (size.text, size.is_eu));
        for (given, text, is_eu) in [
            ("Taille M", "m", false),
            ("Size XL", "xl", false),
            ("Gr. 38", "38", false),
            ("T38", "38", false),
            ("M méret", "m", false),
            ("EU 38", "38", true),
            ("38 EU", "38", true),
            ("EU38,5", "38.5", true),
            ("Pointure EUR 38", "38", true),
            ("Taille 3 ans", "3 ans", false),
        ] {
            assert_eq!(bare(given), Some((text.to_owned(), is_eu)), "{given}");
        }
        for given in ["", "38", "M", "Taille", "EU", "EU M", "UK 10", "W32"] {
            assert_eq!(bare(given), None, "{given}");
        }
        for (given, expected) in [
            ("39½", "39,5"),
            ("39 ½ EU", "39,5 EU"),
            ("EU 39 1/2", "EU 39,5"),
            ("½", "½"),
            ("M ½", "M ½"),
            ("39,5", "39,5"),
        ] {
            assert_eq!(with_decimal_half(given), expected, "{given}");
        }
        assert_eq!(largest_number("M / 38 / 10"), Some(38.0));
        assert_eq!(largest_number("38,5"), Some(38.5));
        assert_eq!(largest_number("XL"), None);
    }
}
