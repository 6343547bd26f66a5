//! `CreateAccount`.

use futures::FutureExt;
use sea_orm::{EntityTrait, IntoActiveModel};
use serde::Serialize;
use vintedbot_marketplace::markets::Market;
use vintedbot_marketplace::{Language, text};

use super::account::{NAME_MAX, language_of, own_language, site_of};
use super::{Account, AccountState, Mode, connection, second};
use crate::events::{Kind, PendingEvent};
use crate::identity::Caller;
use crate::store::entities::accounts;
use crate::{Context, Error, Reason, Result, Violation, is_plain, requests};

/// The parameters of a new account.
#[derive(Clone, Debug, Serialize)]
pub struct NewAccount {
    pub display_name: String,
    /// The ending of the market's domain, such as `fr`.
    pub market: String,
    /// Empty: the market's first language if vintedbot supports it, else English.
    pub language: String,
    /// Absent: the setting `session_mode`.
    pub mode: Option<Mode>,
    /// Whether a person knows the site's rule about several accounts.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub second_account_acknowledged: bool,
    #[serde(skip)]
    pub request_id: Option<String>,
}

const METHOD: &str = "CreateAccount";

/// Creates an account, and a job that reads its member and the catalogue. This call itself sends no requests to the
/// site.
///
/// # Errors
/// All violations at once; ACKNOWLEDGEMENT_REQUIRED for AUTOMATED, which only `set_mode` can set, and for a second
/// account on a site without `second_account_acknowledged`.
pub async fn create(context: &Context, caller: &Caller, new: NewAccount) -> Result<Account> {
    let new = NewAccount {
        display_name: text::normalize_name(&new.display_name).into_owned(),
        ..new
    };
    let (market, language) = check(&new)?;
    let mode = new.mode.unwrap_or(context.settings.session_mode);
    if mode == Mode::Automated {
        return Err(Error::rejected(
            Reason::AcknowledgementRequired,
            "AUTOMATED cannot be set at creation; create a MANUAL account, then call SetMode with automated_acknowledged",
        ));
    }
    let workspace_id = caller.workspace_id.clone();
    let id = context
        .store
        .write(move |tx| {
            let (new, workspace_id) = (new.clone(), workspace_id.clone());
            async move {
                let request_id = new.request_id.as_deref();
                if let Some(id) = requests::check(tx, &workspace_id, request_id, METHOD, &new).await? {
                    return Ok(id);
                }
                let site = site_of(mode, market);
                if !new.second_account_acknowledged {
                    second::refuse(tx, &workspace_id, mode, &site, None).await?;
                }
                let now = tx.now().await?;
                let row = accounts::Model {
                    id: tx.id(),
                    workspace_id: workspace_id.clone(),
                    display_name: new.display_name.trim().to_owned(),
                    market: ending(market),
                    site,
                    language: language.code().to_owned(),
                    mode,
                    state: AccountState::Active,
                    pause_reason: None,
                    pause_message: None,
                    pause_time: None,
                    pause_publish_job_id: None,
                    member_id: None,
                    member_login: None,
                    publish_limit_per_minute: None,
                    create_time: now,
                    update_time: now,
                    delete_time: None,
                    sequence: 0,
                    session: None,
                    cooldown_until: None,
                };
                accounts::Entity::insert(row.clone().into_active_model())
                    .exec_without_returning(tx)
                    .await?;
                connection::queue(tx, &row).await?;
                let id = row.id.clone();
                tx.emit(PendingEvent::changed(Kind::AccountCreated, &Account::from(row))?);
                requests::remember(tx, &workspace_id, request_id, METHOD, &new, &id).await?;
                Ok(id)
            }
            .boxed()
        })
        .await?;
    super::get(context, caller, &id).await
}

fn check(new: &NewAccount) -> Result<(&'static Market, Language)> {
    let mut violations = Vec::new();
    let name = new.display_name.trim();
    if !(1..=NAME_MAX).contains(&text::length(name)) || !is_plain(name) {
        violations.push(Violation::new(
            "display_name",
            format!("must have 1 to {NAME_MAX} characters, none of them a control character"),
        ));
    }
    let market = Market::find(&new.market).filter(|market| !market.is_practice());
    let Some(market) = market else {
        let known: Vec<_> = Market::all()
            .iter()
            .filter(|market| !market.is_practice())
            .map(ending)
            .collect();
        violations.push(Violation::new(
            "market",
            format!("must be one of {}", known.join(", ")),
        ));
        return Err(Error::Invalid(violations));
    };
    let language = if new.language.is_empty() {
        Ok(own_language(market))
    } else {
        language_of(market, &new.language)
    };
    match language {
        Ok(language) if violations.is_empty() => return Ok((market, language)),
        Ok(_) => {}
        Err(text) => violations.push(Violation::new("language", text)),
    }
    Err(Error::Invalid(violations))
}

fn ending(market: &Market) -> String {
    market
        .site
        .strip_prefix("vinted.")
        .unwrap_or(&market.site)
        .to_owned()
}
