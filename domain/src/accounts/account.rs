//! The account resource and its row.

use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel};
use serde::{Deserialize, Serialize};
use vintedbot_marketplace::markets::{Market, PRACTICE};
use vintedbot_marketplace::{AccountContext, Language};

use super::{AccountSession, AccountState, Mode};
use crate::clock::Millis;
use crate::events::{Kind, PendingEvent, Resource, ResourceType};
use crate::store::entities::accounts;
use crate::store::{OfWorkspace, Tx};
use crate::{Error, Reason, Result};

/// The maximum length of an account's display name, in characters.
pub(super) const NAME_MAX: usize = 100;

/// An account on the marketplace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub id: String,
    pub workspace_id: String,
    pub display_name: String,
    /// The ending of the market's domain, such as `fr`.
    pub market: String,
    /// The site of the account: `practice`, or the market's site such as `vinted.fr`.
    pub site: String,
    pub language: Language,
    pub mode: Mode,
    pub state: AccountState,
    pub pause: Option<Pause>,
    pub member_id: Option<String>,
    pub member_login: Option<String>,
    /// Publications a minute. Absent: the setting `publish.per_minute_account` applies.
    pub publish_limit_per_minute: Option<i64>,
    /// The imported session for the account's site.
    #[serde(default)]
    pub session: Option<AccountSession>,
    /// The end of the cooldown. Absent or in the past: no cooldown.
    pub cooldown_until: Option<Millis>,
    pub create_time: Millis,
    pub update_time: Millis,
    pub sequence: i64,
}

/// Why an account is paused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Absent: this version does not know the reason.
    pub reason: Option<Reason>,
    pub message: String,
    pub time: Millis,
    pub publish_job_id: Option<String>,
}

impl Account {
    /// Returns the market of the account's site, which determines currency and limits.
    pub fn site_market(&self) -> Result<&'static Market> {
        Market::find(&self.site).ok_or_else(|| Error::Internal(format!("site {} has no market", self.site)))
    }

    /// Returns the account's own market, which determines limits that one market alone has. In MOCK mode it is not the
    /// market of the site, but listings are written for it.
    pub fn home_market(&self) -> Result<&'static Market> {
        Market::find(&self.market)
            .ok_or_else(|| Error::Internal(format!("account {} has no known market", self.id)))
    }
}

/// Returns the account context for the connector, without an account lock.
pub fn account_context(account: &Account) -> AccountContext {
    // The first digits of an id are its creation time, which two accounts may share; the last ones are random.
    let digits: String = account.id.chars().filter(char::is_ascii_hexdigit).collect();
    let tail = &digits[digits.len().saturating_sub(12)..];
    AccountContext {
        account_id: account.id.clone(),
        site: account.site.clone(),
        language: account.language,
        practice_login: format!("seller-{tail}"),
        lock: None,
    }
}

impl From<accounts::Model> for Account {
    fn from(row: accounts::Model) -> Self {
        Self {
            pause: row
                .pause_time
                .filter(|_| row.state == AccountState::Paused)
                .map(|time| Pause {
                    reason: row.pause_reason.as_deref().and_then(Reason::from_name),
                    message: row.pause_message.unwrap_or_default(),
                    time,
                    publish_job_id: row.pause_publish_job_id,
                }),
            session: row
                .session
                .as_deref()
                .and_then(|session| serde_json::from_str(session).ok()),
            language: Language::from_code(&row.language).unwrap_or(Language::En),
            id: row.id,
            workspace_id: row.workspace_id,
            display_name: row.display_name,
            market: row.market,
            site: row.site,
            mode: row.mode,
            state: row.state,
            member_id: row.member_id,
            member_login: row.member_login,
            publish_limit_per_minute: row.publish_limit_per_minute,
            cooldown_until: row.cooldown_until,
            create_time: row.create_time,
            update_time: row.update_time,
            sequence: row.sequence,
        }
    }
}

impl Resource for Account {
    const TYPE: ResourceType = ResourceType::Account;
    fn id(&self) -> &str {
        &self.id
    }
    fn workspace_id(&self) -> &str {
        &self.workspace_id
    }
    fn account_id(&self) -> Option<&str> {
        Some(&self.id)
    }
}

/// Loads the row of the workspace's account and locks it until the transaction ends.
pub(crate) async fn load(tx: &Tx, workspace_id: &str, id: &str) -> Result<accounts::Model> {
    tx.locked(accounts::Entity::find_by_id(id).of_workspace(workspace_id))
        .one(tx)
        .await?
        .filter(|row| row.delete_time.is_none())
        .ok_or_else(|| Error::not_found("account", id))
}

/// Writes a loaded row and emits an event of the given kind.
pub(super) async fn save(tx: &Tx, mut row: accounts::Model, kind: Kind) -> Result<()> {
    row.update_time = tx.now().await?;
    row.clone().into_active_model().reset_all().update(tx).await?;
    tx.emit(PendingEvent::changed(kind, &Account::from(row))?);
    Ok(())
}

/// Returns the site of an account with the given mode and market.
pub(super) fn site_of(mode: Mode, market: &Market) -> String {
    match mode {
        Mode::Mock => PRACTICE.to_owned(),
        Mode::Manual | Mode::Automated => market.site.clone(),
    }
}

/// Returns the default language of a market's accounts: the market's first language if vintedbot supports it, else
/// English.
pub(super) fn own_language(market: &Market) -> Language {
    market
        .languages
        .first()
        .and_then(|code| Language::from_code(code))
        .unwrap_or(Language::En)
}

/// Finds a language that both vintedbot and the market support. The error is the text of a violation.
pub(super) fn language_of(market: &Market, code: &str) -> std::result::Result<Language, String> {
    let language =
        Language::from_code(code).ok_or_else(|| format!("must be \"fr\", \"en\" or \"de\", not {code:?}"))?;
    if market.languages.iter().any(|offered| offered == code) {
        Ok(language)
    } else {
        Err(format!("{} is not offered in {code:?}", market.site))
    }
}
