//! An account as others see it, and its row.

use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel};
use serde::{Deserialize, Serialize};
use vintedbot_marketplace::markets::{Market, PRACTICE};
use vintedbot_marketplace::{Language, Seat};

use super::{AccountSession, AccountState, Mode};
use crate::clock::Millis;
use crate::events::{Kind, PendingEvent, Resource, ResourceType};
use crate::store::Tx;
use crate::store::entities::accounts;
use crate::{Error, Reason, Result};

/// The longest name that an account may be given, in characters.
pub(super) const NAME_MAX: usize = 100;

/// An account on the marketplace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub id: String,
    pub owner_id: String,
    pub display_name: String,
    /// The ending of the market's domain, such as `fr`.
    pub market: String,
    /// Where it works: `practice`, or the market's site such as `vinted.fr`.
    pub site: String,
    pub language: Language,
    pub mode: Mode,
    pub state: AccountState,
    pub pause: Option<Pause>,
    pub member_id: Option<String>,
    pub member_login: Option<String>,
    /// Absent: the setting for accounts.
    pub publish_limit_per_minute: Option<i64>,
    /// The session that was imported for the site it works on.
    #[serde(default)]
    pub session: Option<AccountSession>,
    /// Until when the site asked to be left alone; past, or absent: it did not.
    pub quiet_until: Option<Millis>,
    pub create_time: Millis,
    pub update_time: Millis,
    pub sequence: i64,
}

/// Why an account is paused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Absent: one that this program does not know.
    pub reason: Option<Reason>,
    pub message: String,
    pub time: Millis,
    pub publish_job_id: Option<String>,
}

impl Account {
    /// The market of the site that it works on, which decides on currency and limits.
    pub fn site_market(&self) -> Result<&'static Market> {
        Market::find(&self.site).ok_or_else(|| Error::Internal(format!("site {} has no market", self.site)))
    }
}

/// Everything that a connector needs to know to act for an account.
pub fn seat(account: &Account) -> Seat {
    // The first digits of an id are the time of its making, which two accounts may share; the last ones are random.
    let digits: String = account.id.chars().filter(char::is_ascii_hexdigit).collect();
    let tail = &digits[digits.len().saturating_sub(12)..];
    Seat {
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
            owner_id: row.owner_id,
            display_name: row.display_name,
            market: row.market,
            site: row.site,
            mode: row.mode,
            state: row.state,
            member_id: row.member_id,
            member_login: row.member_login,
            publish_limit_per_minute: row.publish_limit_per_minute,
            quiet_until: row.quiet_until,
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
    fn owner_id(&self) -> &str {
        &self.owner_id
    }
    fn account_id(&self) -> Option<&str> {
        Some(&self.id)
    }
}

/// The caller's account's row, locked until the end of the transaction.
pub(crate) async fn load(tx: &Tx, owner_id: &str, id: &str) -> Result<accounts::Model> {
    tx.locked(accounts::Entity::find_by_id(id))
        .one(tx)
        .await?
        .filter(|row| row.owner_id == owner_id && row.delete_time.is_none())
        .ok_or_else(|| Error::not_found("account", id))
}

/// Writes a row that was loaded for it, and says what happened.
pub(super) async fn save(tx: &Tx, mut row: accounts::Model, kind: Kind) -> Result<()> {
    row.update_time = tx.now().await?;
    row.clone().into_active_model().reset_all().update(tx).await?;
    tx.emit(PendingEvent::changed(kind, &Account::from(row))?);
    Ok(())
}

/// Where an account of a mode works.
pub(super) fn site_of(mode: Mode, market: &Market) -> String {
    match mode {
        Mode::Mock => PRACTICE.to_owned(),
        Mode::Manual | Mode::Automated => market.site.clone(),
    }
}

/// The language that a market's account speaks where nobody says another: its own if it is one of ours, else English.
pub(super) fn own_language(market: &Market) -> Language {
    market
        .languages
        .first()
        .and_then(|code| Language::from_code(code))
        .unwrap_or(Language::En)
}

/// A language by its code, if it is one of ours and of the market's.
pub(super) fn language_of(market: &Market, code: &str) -> std::result::Result<Language, String> {
    let language =
        Language::from_code(code).ok_or_else(|| format!("must be \"fr\", \"en\" or \"de\", not {code:?}"))?;
    if market.languages.iter().any(|offered| offered == code) {
        Ok(language)
    } else {
        Err(format!("{} is not offered in {code:?}", market.site))
    }
}
