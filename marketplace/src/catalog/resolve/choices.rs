//! The choices of one field, and their names.

use std::collections::BTreeSet;

use super::best;
use super::error::{Candidate, ResolveError, ambiguous, nearest, not_exact};
use crate::catalog::synonyms::Synonyms;
use crate::fold::{Folded, Rank};
use crate::{Field, Language, Named};

/// If a name is unknown, an offered list of up to this length is suggested as a whole.
const SHORT_LIST: usize = 12;

/// A choice of a field.
pub(super) struct Labelled<'a> {
    pub id: i64,
    pub name: &'a str,
    /// The name in candidates and suggestions, which tells apart choices of the same name.
    pub label: String,
}

/// The known names of a field's choices.
#[derive(Clone, Copy)]
pub(super) enum Meanings {
    /// The site's ids are the same in every market.
    ById(&'static Synonyms<i64>),
    /// The ids differ; a choice is found by its name in the account's language.
    ByName(&'static Synonyms<String>),
    Unknown,
}

/// The choices of one field.
pub(super) struct Choices<'a> {
    pub field: Field,
    pub language: Language,
    pub offered: &'a [Labelled<'a>],
    pub synonyms: Meanings,
    pub rank: fn(&str, &Folded) -> Option<Rank>,
}

pub(super) fn name_rank(name: &str, wanted: &Folded) -> Option<Rank> {
    Folded::new(name).answers(wanted)
}

/// Returns how well a size with one or several names matches the wanted one. If the wanted one has several names too,
/// each of them must be a name of the size.
pub(super) fn size_rank(name: &str, wanted: &Folded) -> Option<Rank> {
    // No size is meant by the beginning of its word: "1" is not like 10.
    let whole = Folded::new(name)
        .answers(wanted)
        .filter(|rank| *rank != Rank::PartOfWord);
    let own: Vec<Folded> = name.split('/').map(Folded::new).collect();
    let is_own = |part: &Folded| {
        own.iter()
            .any(|own| own.answers(part).is_some_and(Rank::is_exact))
    };
    let parts = wanted.parts();
    let part = (!parts.is_empty() && parts.iter().all(is_own)).then_some(Rank::Part);
    whole.into_iter().chain(part).min()
}

impl Choices<'_> {
    pub(super) fn get(&self, id: i64) -> Option<&Labelled<'_>> {
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
    pub(super) fn named(&self, wanted: &Folded) -> Vec<i64> {
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

    /// Returns the only choice in `found`. Several or no choices are an error.
    pub(super) fn settle(&self, given: &str, found: &[i64]) -> Result<Named, ResolveError> {
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
