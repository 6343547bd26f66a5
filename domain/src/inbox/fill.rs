//! `PreviewTemplate`: fills the variables of a text from a thread.

use vintedbot_marketplace::{Language, text};

use super::template::variables;
use super::text::check_text;
use super::{Thread, get, get_template};
use crate::identity::Caller;
use crate::listings::price_text;
use crate::{Context, Error, Fault, Result, Violation, accounts};

/// The item's title.
const ITEM_TITLE: &str = "item_title";
/// The item's price, formatted for the account's language.
const ITEM_PRICE: &str = "item_price";
/// The counterparty's login name.
const PERSON: &str = "person";

const ALL: [&str; 3] = [ITEM_PRICE, ITEM_TITLE, PERSON];

/// The text to fill: a template id, or the text itself.
#[derive(Clone, Debug)]
pub enum Source {
    Template(String),
    Text(String),
}

/// The text to fill and the thread that supplies the values.
#[derive(Clone, Debug)]
pub struct Preview {
    pub source: Source,
    pub thread_id: String,
}

/// A filled text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filled {
    /// The text. Variables without a value keep their place and their braces.
    pub text: String,
    /// The names of the variables without a value, each once, in alphabetical order.
    pub unfilled: Vec<String>,
}

/// Fills a template or a draft text from a thread.
///
/// # Errors
/// A violation for a text that is not a valid template.
pub async fn preview(context: &Context, caller: &Caller, preview: Preview) -> Result<Filled> {
    let text = match preview.source {
        Source::Template(id) => get_template(context, caller, &id).await?.text,
        Source::Text(text) => text,
    };
    // A template that an older version stored may have other line breaks.
    let text = text::normalize(&text);
    let violations = check("text", &text);
    if !violations.is_empty() {
        return Err(Error::Invalid(violations));
    }
    let thread = get(context, caller, &preview.thread_id).await?;
    let account = accounts::get(context, caller, &thread.account_id).await?;
    Ok(fill(&text, |name| value(&thread, account.language, name)))
}

/// Returns the violations of a template text.
pub(super) fn check(field: &str, text: &str) -> Vec<Violation> {
    if let Some(violation) = check_text(field, text) {
        return vec![violation];
    }
    variables(text)
        .into_iter()
        .filter(|name| !ALL.contains(&name.as_str()))
        .map(|name| {
            let text = format!("unknown variable {name:?}; the variables are {}", ALL.join(", "));
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
    fn fill_replaces_known_variables_and_leaves_the_rest_unchanged() {
        let known = |name: &str| (name == PERSON).then(|| "anna {{item_title}}".to_owned());
        let filled = |text: &str| fill(text, known);
        let done = filled("Hello {{person}}, {{ person }}!");
        assert_eq!(done.text, "Hello anna {{item_title}}, anna {{item_title}}!");
        assert!(done.unfilled.is_empty(), "filled values are not filled again");
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
    fn check_names_each_unknown_variable() {
        assert!(check("text", "{{person}} {{item_price}} {{item_title}} {{").is_empty());
        let wrong = check("text", "{{persn}} {{item_title}} {{}}");
        assert_eq!(wrong.len(), 2);
        assert!(wrong[1].description.contains("\"persn\""), "{wrong:?}");
    }
}
