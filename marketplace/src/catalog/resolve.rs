//! Resolves names, as a person writes them, to ids: "Homme > Sweats", "bon", "M".
//!
//! Two kinds of names resolve: the site's own name, compared without case, accents, blanks and punctuation, and the
//! known names of [`synonyms`](super::synonyms). For categories, singular and plural are the same. If several entries
//! have the name, the candidates are returned. An entry whose name only begins with the given name, or resembles it, is
//! never used, even if it is the only one: it is a candidate.

mod choices;
mod error;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use super::CatalogIndex;
use super::synonyms::{KNOWN, bare_size, largest_number, with_decimal_half};
use crate::fold::{Folded, Rank};
use crate::{CategoryChoice, Field, Named};

use choices::{Choices, Labelled, Meanings, name_rank, size_rank};
use error::{ambiguous, nearest, not_exact};

pub use error::{Candidate, ResolveError};

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

    /// Resolves one of the sizes that the category offers. A size with several names (`M / 38 / 10`) matches each of
    /// them, and several of them together: `M / 38`, `38 (M)`. Words such as `Taille` and `EU` beside the size do not
    /// count; `EU 38` is the European number alone. A half may be a fraction: `39½`.
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
        let wanted = Folded::new(&with_decimal_half(given));
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

    /// Resolves one of the conditions that the category offers.
    pub fn resolve_condition(&self, category_id: i64, given: &str) -> Result<Named, ResolveError> {
        let offered = self.conditions(category_id);
        self.choose(
            Field::Condition,
            given,
            &offered,
            Meanings::ById(&KNOWN.condition),
        )
    }

    /// Resolves one of the colours that the category offers.
    pub fn resolve_color(&self, category_id: i64, given: &str) -> Result<Named, ResolveError> {
        let offered = self.colors(category_id);
        self.choose(Field::Colors, given, &offered, Meanings::ByName(&KNOWN.color))
    }

    /// Resolves one of the materials that the category offers.
    pub fn resolve_material(&self, category_id: i64, given: &str) -> Result<Named, ResolveError> {
        let offered = self.materials(category_id);
        self.choose(Field::Materials, given, &offered, Meanings::Unknown)
    }

    /// Resolves one of the package sizes that the category offers.
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
    /// The best matches, whether exact or not.
    alike: Vec<i64>,
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
