//! `PreviewTemplate`: a text whose variables a thread fills.

use vintedbot_marketplace::Language;

use super::template::variables;
use super::text::check_text;
use super::{Thread, get, get_template};
use crate::identity::Caller;
use crate::listings::price_text;
use crate::{Domain, Error, Fault, Result, Violation, accounts};

/// Title of the item.
const ITEM_TITLE: &str = "item_title";
/// Its price, as the account's language writes it.
const ITEM_PRICE: &str = "item_price";
/// Login name of the other side.
const PERSON: &str = "person";

const ALL: [&str; 3] = [ITEM_PRICE, ITEM_TITLE, PERSON];

/// What to fill.
#[derive(Clone, Debug)]
pub enum Source {
    Template(String),
    Text(String),
}

/// What to fill, and with what.
#[derive(Clone, Debug)]
pub struct Preview {
    pub source: Source,
    pub thread_id: String,
}

/// A text with everything in its place that was known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filled {
    /// What was not known stands there as it was, in its braces.
    pub text: String,
    /// Each once, in alphabetical order.
    pub unfilled: Vec<String>,
}

/// Fills a template, or a text that is being written, for a thread.
///
/// # Errors
/// A violation for a text that is no template.
pub async fn preview(domain: &Domain, caller: &Caller, preview: Preview) -> Result<Filled> {
    let text = match preview.source {
        Source::Template(id) => get_template(domain, caller, &id).await?.text,
        Source::Text(text) => text,
    };
    let violations = check("text", &text);
    if !violations.is_empty() {
        return Err(Error::Invalid(violations));
    }
    let thread = get(domain, caller, &preview.thread_id).await?;
    let account = accounts::get(domain, caller, &thread.account_id).await?;
    Ok(fill(&text, |name| value(&thread, account.language, name)))
}

/// What is wrong with the text of a template.
pub(super) fn check(field: &str, text: &str) -> Vec<Violation> {
    if let Some(violation) = check_text(field, text) {
        return vec![violation];
    }
    variables(text)
        .into_iter()
        .filter(|name| !ALL.contains(&name.as_str()))
        .map(|name| {
            let text = format!("there is no variable {name:?}; there are {}", ALL.join(", "));
            Violation::of(Fault::Unknown, field, text)
        })
        .collect()
}

fn value(thread: &Thread, language: Language, name: &str) -> Option<String> {
    let text = match name {
        ITEM_TITLE => thread.item.as_ref()?.title.clone(),
        ITEM_PRICE => price_text(thread.transaction.as_ref()?.price.as_ref()?, language),
        PERSON => thread.person.login.clone(),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

fn fill(text: &str, value: impl Fn(&str) -> Option<String>) -> Filled {
    let mut filled = String::with_capacity(text.len());
    let mut unfilled = Vec::new();
    let mut pieces = text.split("{{");
    filled.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let variable = piece.split_once("}}").map(|(name, rest)| (name.trim(), rest));
        match variable.map(|(name, rest)| (name, value(name), rest)) {
            Some((_, Some(value), rest)) => {
                filled.push_str(&value);
                filled.push_str(rest);
                continue;
            }
            Some((name, None, _)) => unfilled.push(name.to_owned()),
            None => {}
        }
        filled.push_str("{{");
        filled.push_str(piece);
    }
    unfilled.sort();
    unfilled.dedup();
    Filled {
        text: filled,
        unfilled,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_filled_in_and_everything_else_stays_as_it_was() {
        let known = |name: &str| (name == PERSON).then(|| "anna {{item_title}}".to_owned());
        let filled = |text: &str| fill(text, known);
        let done = filled("Hello {{person}}, {{ person }}!");
        assert_eq!(done.text, "Hello anna {{item_title}}, anna {{item_title}}!");
        assert!(done.unfilled.is_empty(), "what was filled in is no template");
        let open = filled("{{item_title}} {{person}} {{ item_price }} {{item_title}}");
        assert_eq!(
            open.text,
            "{{item_title}} anna {{item_title}} {{ item_price }} {{item_title}}"
        );
        assert_eq!(open.unfilled, [ITEM_PRICE, ITEM_TITLE]);
        for plain in ["", "no braces", "{{", "}}", "{{ {person} ", "a }} b {{ c"] {
            assert_eq!(filled(plain).text, plain);
            assert!(filled(plain).unfilled.is_empty());
        }
    }

    #[test]
    fn an_unknown_variable_is_named() {
        assert!(check("text", "{{person}} {{item_price}} {{item_title}} {{").is_empty());
        let wrong = check("text", "{{persn}} {{item_title}} {{}}");
        assert_eq!(wrong.len(), 2);
        assert!(wrong[1].description.contains("\"persn\""), "{wrong:?}");
    }
}
