//! `UpdateAccount`.

use futures::FutureExt;
use serde::Serialize;
use vintedbot_marketplace::markets::Market;
use vintedbot_marketplace::text;

use super::account::{NAME_MAX, language_of, load, own_language, save};
use super::{Account, connection};
use crate::events::Kind;
use crate::identity::Caller;
use crate::store::entities::accounts;
use crate::{Context, Error, Reason, Result, Violation, is_plain, requests};

/// A change of an account.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Update {
    pub id: String,
    /// Empty: absent.
    pub display_name: String,
    /// Empty: absent. A reset sets the market's default language.
    pub language: String,
    /// 1 to 60. A reset makes the setting `publish.per_minute_account` apply.
    pub publish_limit_per_minute: Option<i64>,
    /// Names of the fields to change; a field that is absent above is reset. Empty: the fields that are present.
    pub mask: Vec<String>,
    /// The sequence that the account must have. Absent: any.
    pub expected_sequence: Option<i64>,
    #[serde(skip)]
    pub request_id: Option<String>,
}

const METHOD: &str = "UpdateAccount";
const LIMIT_MAX: i64 = 60;

/// Changes the display name, language or publish limit of an account.
///
/// # Errors
/// All violations at once; RESOURCE_CHANGED if the account does not have `expected_sequence`.
pub async fn update(context: &Context, caller: &Caller, update: Update) -> Result<Account> {
    let update = Update {
        display_name: text::normalize_name(&update.display_name).into_owned(),
        ..update
    };
    let (workspace_id, id) = (caller.workspace_id.clone(), update.id.clone());
    context
        .store
        .write(move |tx| {
            let (workspace_id, update) = (workspace_id.clone(), update.clone());
            async move {
                let request_id = update.request_id.as_deref();
                if requests::check(tx, &workspace_id, request_id, METHOD, &update)
                    .await?
                    .is_some()
                {
                    return Ok(());
                }
                let row = load(tx, &workspace_id, &update.id).await?;
                if update
                    .expected_sequence
                    .is_some_and(|expected| expected != row.sequence)
                {
                    return Err(changed("account", row.sequence));
                }
                let changed = apply(&update, row.clone())?;
                if changed.language != row.language {
                    connection::queue(tx, &changed).await?;
                }
                if changed != row {
                    save(tx, changed, Kind::AccountUpdated).await?;
                }
                requests::remember(tx, &workspace_id, request_id, METHOD, &update, &update.id).await
            }
            .boxed()
        })
        .await?;
    super::get(context, caller, &id).await
}

/// The error for an `expected_sequence` that is not the current sequence.
pub(crate) fn changed(what: &str, sequence: i64) -> Error {
    let message = format!("the {what} has changed in the meantime; read it again, then repeat the call");
    Error::rejected(Reason::ResourceChanged, message).with("sequence", sequence.to_string())
}

fn apply(update: &Update, mut row: accounts::Model) -> Result<accounts::Model> {
    let mut violations = Vec::new();
    let market = Market::find(&row.market)
        .ok_or_else(|| Error::Internal(format!("account {} has no known market", row.id)))?;
    for field in fields(update) {
        match field {
            "display_name" => {
                let name = update.display_name.trim();
                if (1..=NAME_MAX).contains(&text::length(name)) && is_plain(name) {
                    name.clone_into(&mut row.display_name);
                } else {
                    let text =
                        format!("must have 1 to {NAME_MAX} characters, none of them a control character");
                    violations.push(Violation::new("account.display_name", text));
                }
            }
            "language" if update.language.is_empty() => {
                own_language(market).code().clone_into(&mut row.language)
            }
            "language" => match language_of(market, &update.language) {
                Ok(language) => language.code().clone_into(&mut row.language),
                Err(text) => violations.push(Violation::new("account.language", text)),
            },
            "publish_limit_per_minute" => {
                if update
                    .publish_limit_per_minute
                    .is_some_and(|limit| !(1..=LIMIT_MAX).contains(&limit))
                {
                    let text = format!("must be 1 to {LIMIT_MAX}");
                    violations.push(Violation::new("account.publish_limit_per_minute", text));
                }
                row.publish_limit_per_minute = update.publish_limit_per_minute;
            }
            other => violations.push(Violation::new(
                "update_mask",
                format!(
                    "{other:?} cannot be changed; display_name, language and publish_limit_per_minute can"
                ),
            )),
        }
    }
    if violations.is_empty() {
        Ok(row)
    } else {
        Err(Error::Invalid(violations))
    }
}

fn fields(update: &Update) -> Vec<&str> {
    if !update.mask.is_empty() {
        return update.mask.iter().map(String::as_str).collect();
    }
    let present = [
        ("display_name", !update.display_name.is_empty()),
        ("language", !update.language.is_empty()),
        (
            "publish_limit_per_minute",
            update.publish_limit_per_minute.is_some(),
        ),
    ];
    present
        .into_iter()
        .filter(|(_, present)| *present)
        .map(|(name, _)| name)
        .collect()
}
