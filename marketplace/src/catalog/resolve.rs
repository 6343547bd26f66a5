//! Resolves names, as a person writes them, to ids: "Homme > Sweats", "bon", "M".
//!
//! Two kinds of names resolve: the site's own name, compared without case, accents, blanks and punctuation, and the
//! known names of [`synonyms`](super::synonyms). For categories, singular and plural are the same. If several entries
//! have the name, the candidates are returned. An entry whose name only begins with the given name, or resembles it, is
//! never used, even if it is the only one: it is a candidate.

use std::collections::{BTreeSet, HashSet};

use serde::{Deserialize, Serialize};

use super::CatalogIndex;
use super::synonyms::{KNOWN, Synonyms, bare_size, largest_number};
use crate::fold::{Folded, Rank, distance};
use crate::{CategoryChoice, Field, Language, Named};

/// The maximum number of candidates, and of suggestions.
const MAX_CANDIDATES: usize = 50;
const MAX_SUGGESTIONS: usize = 5;
/// If a name is unknown, an offered list of up to this length is suggested as a whole.
const SHORT_LIST: usize = 12;

/// One of several possible meanings of a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    pub id: i64,
    /// The name that distinguishes it; for a category, the whole path.
    pub name: String,
}

/// Why a name could not be resolved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// No choice has this name. The suggestions are those that begin with it and the nearest names, best first.
    #[error("{} {given:?} is not known{}", .field.name(), hint("did you mean", .suggestions))]
    Unknown {
        field: Field,
        given: String,
        suggestions: Vec<Candidate>,
    },
    /// Several choices have this name, or none has it and several begin with it; the first 50 of them.
    #[error("{} {given:?} is ambiguous{}", .field.name(), hint("one of", .candidates))]
    Ambiguous {
        field: Field,
        given: String,
        candidates: Vec<Candidate>,
    },
}

fn hint(lead: &str, names: &[Candidate]) -> String {
    let shown: Vec<_> = names
        .iter()
        .take(MAX_SUGGESTIONS)
        .map(|c| c.name.as_str())
        .collect();
    if shown.is_empty() {
        String::new()
    } else {
        format!("; {lead}: {}", shown.join(", "))
    }
}

impl CatalogIndex {
    /// Resolves a name or a path to a leaf category.
    ///
    /// A path names any of the ancestors, in order, and then the category, separated by `>`, `›` or `/`. A category
    /// that is not a leaf stands for its leaves.
    pub fn resolve_category(&self, given: &str) -> Result<CategoryChoice, ResolveError> {
        let mut alike = Vec::new();
        // A name may contain a slash, so the text is first split without slashes.
        for separators in [&['>', '›'][..], &['>', '›', '/'][..]] {
            let steps: Vec<_> = given
                .split(separators)
                .map(Folded::new)
                .filter(|step| !step.is_empty())
                .collect();
            let matched = self.categories_answering(&steps);
            if !matched.exact.is_empty() {
                return self.leaf_of(given, &matched.exact);
            }
            if alike.is_empty() {
                alike = matched.alike;
            }
        }
        let last = given
            .rsplit(['>', '›', '/'])
            .find(|part| !part.trim().is_empty())
            .unwrap_or(given);
        let names = self
            .catalog()
            .categories
            .iter()
            .zip(&self.category_names)
            .map(|(c, name)| (c.id, name));
        let path = |id| self.path_name(id);
        Err(not_exact(
            (Field::Category, given),
            &self.leaves_or_themselves(&alike),
            path,
            || nearest(last, names, path),
        ))
    }

    /// Returns the only leaf that these categories, which have the given name, stand for.
    fn leaf_of(&self, given: &str, matched: &[i64]) -> Result<CategoryChoice, ResolveError> {
        let shown = self.leaves_or_themselves(matched);
        if let [only] = shown[..]
            && let Some(choice) = self.choice(only)
        {
            return Ok(choice);
        }
        Err(ambiguous((Field::Category, given), &shown, |id| {
            self.path_name(id)
        }))
    }

    /// Returns the leaves that these categories stand for. A parent without leaves can be named but not chosen.
    fn leaves_or_themselves(&self, matched: &[i64]) -> Vec<i64> {
        let leaves = self.meant_leaves(matched);
        if leaves.is_empty() {
            matched.to_vec()
        } else {
            leaves
        }
    }

    /// Returns the categories that match a path best.
    fn categories_answering(&self, steps: &[Folded]) -> Answering {
        let Some((last, ancestors)) = steps.split_last() else {
            return Answering::default();
        };
        let ranked: Vec<_> = self
            .catalog()
            .categories
            .iter()
            .zip(&self.category_names)
            .filter_map(|(category, name)| {
                let own = name.answers(last)?;
                let above = self.path(category.id);
                let mut above = above.iter().take(above.len() - 1);
                let mut worst = own;
                for step in ancestors {
                    worst = worst.max(above.find_map(|c| Folded::new(&c.name).answers(step))?);
                }
                Some(((own, worst), category.id))
            })
            .collect();
        let is_exact = |worst: Rank| worst.is_exact() || worst == Rank::Inflected;
        Answering {
            exact: best(ranked.iter().copied().filter(|((_, worst), _)| is_exact(*worst))),
            alike: best(ranked.into_iter()),
        }
    }

    /// Returns the leaves that these categories stand for. A leaf takes precedence over an ancestor of the same name.
    fn meant_leaves(&self, matched: &[i64]) -> Vec<i64> {
        let above_a_matched_leaf: HashSet<i64> = matched
            .iter()
            .filter(|id| self.fields(**id).is_some())
            .flat_map(|id| {
                self.path(*id)
                    .into_iter()
                    .map(|c| c.id)
                    .filter(move |above| above != id)
            })
            .collect();
        let mut seen = HashSet::new();
        matched
            .iter()
            .filter(|id| !above_a_matched_leaf.contains(id))
            .flat_map(|id| self.leaves(*id))
            .map(|leaf| leaf.id)
            .filter(|id| seen.insert(*id))
            .collect()
    }

    /// Resolves a brand among those in the catalog. A name for "no brand" in any language is the site's own entry.
    pub fn resolve_brand(&self, given: &str) -> Result<Named, ResolveError> {
        let brands = &self.catalog().brands;
        let wanted = Folded::new(given);
        let ranked: Vec<_> = brands
            .iter()
            .zip(&self.brand_names)
            .filter_map(|(b, name)| Some((name.answers(&wanted)?, b.id)))
            .collect();
        let mut found = best(ranked.iter().copied().filter(|(rank, _)| rank.is_exact()));
        if found.is_empty() {
            let meant = KNOWN.brand.meanings(self.catalog().language, &wanted);
            found = meant
                .into_iter()
                .copied()
                .filter(|id| self.brand(*id).is_some())
                .collect();
        }
        let name = |id| self.brand(id).map(|b| b.name.clone()).unwrap_or_default();
        match found[..] {
            [id] => Ok(Named { id, name: name(id) }),
            [] => Err(not_exact(
                (Field::Brand, given),
                &best(ranked.into_iter()),
                name,
                || {
                    let names = brands.iter().zip(&self.brand_names).map(|(b, name)| (b.id, name));
                    nearest(given, names, name)
                },
            )),
            _ => Err(ambiguous((Field::Brand, given), &found, name)),
        }
    }

    /// Resolves a size among those that the category offers. A size with several names (`M / 38 / 10`) matches each of
    /// them. Words such as `Taille` and `EU` beside the size do not count; `EU 38` is the European number alone.
    pub fn resolve_size(&self, category_id: i64, given: &str) -> Result<Named, ResolveError> {
        let groups = self.size_groups(category_id);
        let several = groups.len() > 1;
        let offered: Vec<Labelled<'_>> = groups
            .iter()
            .flat_map(|group| group.sizes.iter().map(move |size| (group, size)))
            .map(|(group, size)| Labelled {
                id: size.id,
                name: &size.name,
                label: if several {
                    format!("{}: {}", group.name, size.name)
                } else {
                    size.name.clone()
                },
            })
            .collect();
        let choices = Choices {
            field: Field::Size,
            language: self.catalog().language,
            offered: &offered,
            synonyms: Meanings::ByName(&KNOWN.size),
            rank: size_rank,
        };
        let wanted = Folded::new(given);
        let mut found = choices.named(&wanted);
        if found.is_empty()
            && let Some(bare) = bare_size(&wanted)
        {
            found = choices.named(&Folded::new(&bare.text));
            if bare.is_eu {
                let number = bare.text.parse::<f64>().ok();
                found.retain(|id| choices.get(*id).and_then(|size| largest_number(size.name)) == number);
            }
        }
        choices.settle(given, &found)
    }

    /// Resolves a condition among those that the category offers.
    pub fn resolve_condition(&self, category_id: i64, given: &str) -> Result<Named, ResolveError> {
        let offered = self.conditions(category_id);
        self.choose(
            Field::Condition,
            given,
            &offered,
            Meanings::ById(&KNOWN.condition),
        )
    }

    /// Resolves a colour among those that the category offers.
    pub fn resolve_color(&self, category_id: i64, given: &str) -> Result<Named, ResolveError> {
        let offered = self.colors(category_id);
        self.choose(Field::Colors, given, &offered, Meanings::ByName(&KNOWN.color))
    }

    /// Resolves a material among those that the category offers.
    pub fn resolve_material(&self, category_id: i64, given: &str) -> Result<Named, ResolveError> {
        let offered = self.materials(category_id);
        self.choose(Field::Materials, given, &offered, Meanings::Unknown)
    }

    /// Resolves a package size among those that the category offers.
    pub fn resolve_package_size(&self, category_id: i64, given: &str) -> Result<Named, ResolveError> {
        let offered = self.package_sizes(category_id);
        self.choose(
            Field::PackageSize,
            given,
            &offered,
            Meanings::ById(&KNOWN.package_size),
        )
    }

    fn choose(
        &self,
        field: Field,
        given: &str,
        offered: &[&Named],
        synonyms: Meanings,
    ) -> Result<Named, ResolveError> {
        let offered: Vec<_> = offered
            .iter()
            .map(|n| Labelled {
                id: n.id,
                name: &n.name,
                label: n.name.clone(),
            })
            .collect();
        let choices = Choices {
            field,
            language: self.catalog().language,
            offered: &offered,
            synonyms,
            rank: name_rank,
        };
        choices.settle(given, &choices.named(&Folded::new(given)))
    }
}

/// The categories that match a path.
#[derive(Default)]
struct Answering {
    exact: Vec<i64>,
    /// Those that match best, whether exactly or not.
    alike: Vec<i64>,
}

struct Labelled<'a> {
    id: i64,
    name: &'a str,
    label: String,
}

/// The known names of a field's choices.
#[derive(Clone, Copy)]
enum Meanings {
    /// The site's ids are the same in every market.
    ById(&'static Synonyms<i64>),
    /// The ids differ; a choice is found by its name in the account's language.
    ByName(&'static Synonyms<String>),
    Unknown,
}

/// The choices of one field.
struct Choices<'a> {
    field: Field,
    language: Language,
    offered: &'a [Labelled<'a>],
    synonyms: Meanings,
    rank: fn(&str, &Folded) -> Option<Rank>,
}

fn name_rank(name: &str, wanted: &Folded) -> Option<Rank> {
    Folded::new(name).answers(wanted)
}

fn size_rank(name: &str, wanted: &Folded) -> Option<Rank> {
    // No size is meant by the beginning of its word: "1" is not like 10.
    let whole = Folded::new(name)
        .answers(wanted)
        .filter(|rank| *rank != Rank::PartOfWord);
    let is_same = |part| Folded::new(part).answers(wanted).is_some_and(Rank::is_exact);
    let part = name.split('/').any(is_same).then_some(Rank::Part);
    whole.into_iter().chain(part).min()
}

impl Choices<'_> {
    fn get(&self, id: i64) -> Option<&Labelled<'_>> {
        self.offered.iter().find(|o| o.id == id)
    }

    fn label(&self, id: i64) -> String {
        self.get(id).map(|o| o.label.clone()).unwrap_or_default()
    }

    fn ranked(&self, wanted: &Folded) -> Vec<(Rank, i64)> {
        self.offered
            .iter()
            .filter_map(|o| Some(((self.rank)(o.name, wanted)?, o.id)))
            .collect()
    }

    /// Returns the choices with this name: the site's own, or else a known one.
    fn named(&self, wanted: &Folded) -> Vec<i64> {
        let exact = self
            .ranked(wanted)
            .into_iter()
            .filter(|(rank, _)| rank.is_exact());
        let found = best(exact);
        if !found.is_empty() {
            return found;
        }
        match self.synonyms {
            Meanings::ById(known) => self.with_ids(&known.meanings(self.language, wanted)),
            Meanings::ByName(known) => self.with_names(known, &known.meanings(self.language, wanted)),
            Meanings::Unknown => Vec::new(),
        }
    }

    /// Returns the choices of which the name, or a known name, begins with these words.
    fn alike(&self, wanted: &Folded) -> Vec<i64> {
        let found = best(self.ranked(wanted).into_iter());
        if !found.is_empty() {
            return found;
        }
        match self.synonyms {
            Meanings::ById(known) => self.with_ids(&known.beginning_with(wanted)),
            Meanings::ByName(_) | Meanings::Unknown => Vec::new(),
        }
    }

    fn with_ids(&self, ids: &BTreeSet<&i64>) -> Vec<i64> {
        self.offered
            .iter()
            .map(|o| o.id)
            .filter(|id| ids.contains(id))
            .collect()
    }

    fn with_names(&self, known: &Synonyms<String>, meanings: &BTreeSet<&String>) -> Vec<i64> {
        let names: Vec<Folded> = meanings
            .iter()
            .flat_map(|meaning| known.names(self.language, meaning))
            .map(Folded::new)
            .collect();
        best(self.offered.iter().filter_map(|o| {
            let ranks = names.iter().filter_map(|name| (self.rank)(o.name, name));
            let is_part = ranks
                .filter(|rank| rank.is_exact())
                .map(|rank| rank == Rank::Part)
                .min()?;
            Some((is_part, o.id))
        }))
    }

    /// Returns the only choice in `found`, or why there is none.
    fn settle(&self, given: &str, found: &[i64]) -> Result<Named, ResolveError> {
        match found {
            [id] => Ok(Named {
                id: *id,
                name: self.get(*id).map(|o| o.name.to_owned()).unwrap_or_default(),
            }),
            [] => {
                let alike = self.alike(&Folded::new(given));
                let label = |id| self.label(id);
                Err(not_exact((self.field, given), &alike, label, || {
                    self.suggestions(given)
                }))
            }
            several => Err(ambiguous((self.field, given), several, |id| self.label(id))),
        }
    }

    fn suggestions(&self, given: &str) -> Vec<Candidate> {
        if self.offered.len() <= SHORT_LIST {
            let all = self.offered.iter().map(|o| Candidate {
                id: o.id,
                name: o.label.clone(),
            });
            return all.collect();
        }
        let names: Vec<_> = self.offered.iter().map(|o| (o.id, Folded::new(o.name))).collect();
        let names = names.iter().map(|(id, name)| (*id, name));
        nearest(given, names, |id| self.label(id))
    }
}

/// Returns the ids with the best rank, in their original order.
fn best<R: Ord + Copy>(ranked: impl Iterator<Item = (R, i64)>) -> Vec<i64> {
    let ranked: Vec<_> = ranked.collect();
    let Some(top) = ranked.iter().map(|(rank, _)| *rank).min() else {
        return Vec::new();
    };
    let mut seen = HashSet::new();
    ranked
        .into_iter()
        .filter(|(rank, id)| *rank == top && seen.insert(*id))
        .map(|(_, id)| id)
        .collect()
}

/// Returns the error for a name that no entry has. `alike` are the entries that are only like it: several are
/// candidates, and a single one is a suggestion.
fn not_exact(
    (field, given): (Field, &str),
    alike: &[i64],
    name: impl Fn(i64) -> String,
    nearest: impl FnOnce() -> Vec<Candidate>,
) -> ResolveError {
    if alike.len() > 1 {
        return ambiguous((field, given), alike, name);
    }
    let mut suggestions = candidates(alike, name);
    let others = nearest();
    suggestions.extend(others.into_iter().filter(|other| !alike.contains(&other.id)));
    ResolveError::Unknown {
        field,
        given: given.to_owned(),
        suggestions,
    }
}

fn ambiguous((field, given): (Field, &str), ids: &[i64], name: impl Fn(i64) -> String) -> ResolveError {
    ResolveError::Ambiguous {
        field,
        given: given.to_owned(),
        candidates: candidates(ids, name),
    }
}

fn candidates(ids: &[i64], name: impl Fn(i64) -> String) -> Vec<Candidate> {
    let first = ids.iter().take(MAX_CANDIDATES);
    first
        .map(|id| Candidate {
            id: *id,
            name: name(*id),
        })
        .collect()
}

/// Returns the names that differ from `given` by a few letters, nearest first.
fn nearest<'a>(
    given: &str,
    names: impl Iterator<Item = (i64, &'a Folded)>,
    label: impl Fn(i64) -> String,
) -> Vec<Candidate> {
    let given = Folded::new(given);
    let length = given.text().chars().count();
    let tolerated = (length / 2).clamp(1, 3);
    let mut near: Vec<_> = names
        .filter(|(_, name)| name.text().chars().count().abs_diff(length) <= tolerated)
        .map(|(id, name)| (distance(given.text(), name.text()), id))
        .filter(|(edits, _)| *edits <= tolerated)
        .collect();
    near.sort_unstable();
    near.into_iter()
        .take(MAX_SUGGESTIONS)
        .map(|(_, id)| Candidate { id, name: label(id) })
        .collect()
}

#[cfg(test)]
mod tests;
