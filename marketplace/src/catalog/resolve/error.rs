//! The answers for names that do not resolve: the candidates of an ambiguous name, and suggestions for an unknown one.

use serde::{Deserialize, Serialize};

use crate::Field;
use crate::fold::{Folded, distance};

/// The maximum number of candidates, and of suggestions.
const MAX_CANDIDATES: usize = 50;
const MAX_SUGGESTIONS: usize = 5;

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
    /// No choice has this name. The suggestions are the names that begin with it and the nearest names, best first.
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

/// Returns the error for a name that no entry has. `alike` are the entries that are only like it: several are
/// candidates, and a single one is a suggestion.
pub(super) fn not_exact(
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

pub(super) fn ambiguous(
    (field, given): (Field, &str),
    ids: &[i64],
    name: impl Fn(i64) -> String,
) -> ResolveError {
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
pub(super) fn nearest<'a>(
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
