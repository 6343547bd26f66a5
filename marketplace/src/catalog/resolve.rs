//! Resolves names, as a person writes them, to ids: "Homme > Sweats", "bon", "M".
//!
//! A better kind of match wins over a worse one. If several names match equally well, the candidates are returned.

use std::collections::{BTreeMap, HashSet};
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::CatalogIndex;
use crate::fold::{Folded, Rank, distance};
use crate::{CategoryChoice, Field, Named};

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
    /// No choice has this name. The suggestions are the nearest names, best first.
    #[error("{} {given:?} is not known{}", .field.name(), hint("did you mean", .suggestions))]
    Unknown {
        field: Field,
        given: String,
        suggestions: Vec<Candidate>,
    },
    /// Several choices have this name; the first 50 of them.
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Aliases {
    condition: BTreeMap<i64, Vec<String>>,
    package_size: BTreeMap<i64, Vec<String>>,
    brand: BTreeMap<i64, Vec<String>>,
}

static ALIASES: LazyLock<Aliases> = LazyLock::new(|| {
    toml::from_str(include_str!("../../data/aliases.toml")).expect("the embedded file is read by a test")
});

impl CatalogIndex {
    /// Resolves a name or a path to a leaf category.
    ///
    /// A path names any of the ancestors, in order, and then the category, separated by `>`, `›` or `/`. A category
    /// that is not a leaf stands for its leaves.
    pub fn resolve_category(&self, given: &str) -> Result<CategoryChoice, ResolveError> {
        let mut matched = Vec::new();
        // A name may contain a slash, so the text is first split without slashes.
        for separators in [&['>', '›'][..], &['>', '›', '/'][..]] {
            let steps: Vec<_> = given
                .split(separators)
                .map(Folded::new)
                .filter(|step| !step.is_empty())
                .collect();
            matched = self.categories_answering(&steps);
            if !matched.is_empty() {
                break;
            }
        }
        if matched.is_empty() {
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
            let suggestions = nearest(last, names, |id| self.path_name(id));
            return Err(ResolveError::Unknown {
                field: Field::Category,
                given: given.to_owned(),
                suggestions,
            });
        }
        let leaves = self.meant_leaves(&matched);
        if let [only] = leaves[..]
            && let Some(choice) = self.choice(only)
        {
            return Ok(choice);
        }
        // A parent without leaves can be named but not chosen.
        let shown = if leaves.is_empty() { &matched } else { &leaves };
        let candidates = shown
            .iter()
            .take(MAX_CANDIDATES)
            .map(|id| Candidate {
                id: *id,
                name: self.path_name(*id),
            })
            .collect();
        Err(ResolveError::Ambiguous {
            field: Field::Category,
            given: given.to_owned(),
            candidates,
        })
    }

    /// Returns the categories that match a path best.
    fn categories_answering(&self, steps: &[Folded]) -> Vec<i64> {
        let Some((last, ancestors)) = steps.split_last() else {
            return Vec::new();
        };
        let ranked = self
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
            });
        best(ranked)
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

    /// Resolves a brand among those in the catalog.
    pub fn resolve_brand(&self, given: &str) -> Result<Named, ResolveError> {
        let brands = &self.catalog().brands;
        let wanted = Folded::new(given);
        let ranked = brands
            .iter()
            .zip(&self.brand_names)
            .filter_map(|(b, name)| Some((name.answers(&wanted)?, b.id)));
        let mut found = best(ranked);
        if found.is_empty() {
            found = by_alias(&ALIASES.brand, &wanted)
                .into_iter()
                .filter(|id| self.brand(*id).is_some())
                .collect();
        }
        let name = |id| self.brand(id).map(|b| b.name.clone()).unwrap_or_default();
        let names = brands.iter().zip(&self.brand_names).map(|(b, name)| (b.id, name));
        one(Field::Brand, given, &found, name, || nearest(given, names, name))
    }

    /// Resolves a size among those that the category offers. A size with several names (`M / 38 / 10`) matches each of
    /// them.
    pub fn resolve_size(&self, category_id: i64, given: &str) -> Result<Named, ResolveError> {
        let groups = self.size_groups(category_id);
        let several = groups.len() > 1;
        let sizes: Vec<Labelled<'_>> = groups
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
        // "1" must not match 10 only because no other size begins with it.
        choose(Field::Size, given, &sizes, &BTreeMap::new(), |name, wanted| {
            let whole = Folded::new(name)
                .answers(wanted)
                .filter(|rank| *rank != Rank::PartOfWord);
            let same = |part| {
                Folded::new(part)
                    .answers(wanted)
                    .is_some_and(|rank| rank <= Rank::Squashed)
            };
            let part = name.split('/').any(same).then_some(Rank::Inflected);
            whole.into_iter().chain(part).min()
        })
    }

    /// Resolves a condition among those that the category offers.
    pub fn resolve_condition(&self, category_id: i64, given: &str) -> Result<Named, ResolveError> {
        choose_named(
            Field::Condition,
            given,
            &self.conditions(category_id),
            &ALIASES.condition,
        )
    }

    /// Resolves a colour among those that the category offers.
    pub fn resolve_color(&self, category_id: i64, given: &str) -> Result<Named, ResolveError> {
        choose_named(Field::Colors, given, &self.colors(category_id), &BTreeMap::new())
    }

    /// Resolves a material among those that the category offers.
    pub fn resolve_material(&self, category_id: i64, given: &str) -> Result<Named, ResolveError> {
        choose_named(
            Field::Materials,
            given,
            &self.materials(category_id),
            &BTreeMap::new(),
        )
    }

    /// Resolves a package size among those that the category offers.
    pub fn resolve_package_size(&self, category_id: i64, given: &str) -> Result<Named, ResolveError> {
        choose_named(
            Field::PackageSize,
            given,
            &self.package_sizes(category_id),
            &ALIASES.package_size,
        )
    }
}

struct Labelled<'a> {
    id: i64,
    name: &'a str,
    label: String,
}

fn choose_named(
    field: Field,
    given: &str,
    offered: &[&Named],
    aliases: &BTreeMap<i64, Vec<String>>,
) -> Result<Named, ResolveError> {
    let offered: Vec<_> = offered
        .iter()
        .map(|n| Labelled {
            id: n.id,
            name: &n.name,
            label: n.name.clone(),
        })
        .collect();
    choose(field, given, &offered, aliases, |name, wanted| {
        Folded::new(name).answers(wanted)
    })
}

fn choose(
    field: Field,
    given: &str,
    offered: &[Labelled<'_>],
    aliases: &BTreeMap<i64, Vec<String>>,
    rank: impl Fn(&str, &Folded) -> Option<Rank>,
) -> Result<Named, ResolveError> {
    let wanted = Folded::new(given);
    let mut found = best(
        offered
            .iter()
            .filter_map(|o| Some((rank(o.name, &wanted)?, o.id))),
    );
    if found.is_empty() {
        found = by_alias(aliases, &wanted)
            .into_iter()
            .filter(|id| offered.iter().any(|o| o.id == *id))
            .collect();
    }
    let label = |id| {
        offered
            .iter()
            .find(|o| o.id == id)
            .map(|o| o.label.clone())
            .unwrap_or_default()
    };
    let suggestions = || {
        if offered.len() <= SHORT_LIST {
            return offered
                .iter()
                .map(|o| Candidate {
                    id: o.id,
                    name: o.label.clone(),
                })
                .collect();
        }
        let names: Vec<_> = offered.iter().map(|o| (o.id, Folded::new(o.name))).collect();
        nearest(given, names.iter().map(|(id, name)| (*id, name)), label)
    };
    let mut chosen = one(field, given, &found, label, suggestions)?;
    if let Some(own) = offered.iter().find(|o| o.id == chosen.id) {
        own.name.clone_into(&mut chosen.name);
    }
    Ok(chosen)
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

fn by_alias(aliases: &BTreeMap<i64, Vec<String>>, wanted: &Folded) -> Vec<i64> {
    best(aliases.iter().flat_map(|(id, names)| {
        names
            .iter()
            .filter_map(|name| Some((Folded::new(name).answers(wanted)?, *id)))
    }))
}

fn one(
    field: Field,
    given: &str,
    found: &[i64],
    name: impl Fn(i64) -> String,
    suggestions: impl FnOnce() -> Vec<Candidate>,
) -> Result<Named, ResolveError> {
    let given = given.to_owned();
    match found {
        [id] => Ok(Named {
            id: *id,
            name: name(*id),
        }),
        [] => Err(ResolveError::Unknown {
            field,
            given,
            suggestions: suggestions(),
        }),
        several => {
            let candidates = several
                .iter()
                .take(MAX_CANDIDATES)
                .map(|id| Candidate {
                    id: *id,
                    name: name(*id),
                })
                .collect();
            Err(ResolveError::Ambiguous {
                field,
                given,
                candidates,
            })
        }
    }
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
