//! How fresh the inboxes of accounts are.

use std::collections::HashMap;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde::{Deserialize, Serialize};

use crate::accounts::Account;
use crate::clock::Millis;
use crate::store::entities::inbox_syncs;
use crate::{Domain, Reason, Result};

/// When an account's inbox was last read on its site, and when it is read next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freshness {
    /// When it was last read completely.
    pub last_read_time: Option<Millis>,
    /// Absent: not by itself.
    pub next_read_time: Option<Millis>,
    /// The site.
    pub source: String,
    /// Why the last try brought nothing, or not everything.
    pub late_reason: Option<Reason>,
    pub late_message: String,
}

impl From<inbox_syncs::Model> for Freshness {
    fn from(row: inbox_syncs::Model) -> Self {
        Self {
            last_read_time: row.last_read_time,
            next_read_time: row.next_read_time,
            source: row.site,
            late_reason: row.late_reason.as_deref().and_then(Reason::from_name),
            late_message: row.late_message.unwrap_or_default(),
        }
    }
}

/// How fresh the inboxes of these accounts are, each on the site that it works on now, by the account's id.
pub async fn freshness(domain: &Domain, accounts: &[Account]) -> Result<HashMap<String, Freshness>> {
    let ids = accounts.iter().map(|account| account.id.as_str());
    let rows = inbox_syncs::Entity::find()
        .filter(inbox_syncs::Column::AccountId.is_in(ids))
        .all(domain.store.reader())
        .await?;
    let mut found: HashMap<(String, String), Freshness> = rows
        .into_iter()
        .map(|row| ((row.account_id.clone(), row.site.clone()), Freshness::from(row)))
        .collect();
    let of = |account: &Account| {
        let key = (account.id.clone(), account.site.clone());
        let never = Freshness {
            source: account.site.clone(),
            ..Freshness::default()
        };
        (account.id.clone(), found.remove(&key).unwrap_or(never))
    };
    Ok(accounts.iter().map(of).collect())
}

/// How fresh one account's inbox is.
pub async fn freshness_of(domain: &Domain, account: &Account) -> Result<Freshness> {
    let mut found = freshness(domain, std::slice::from_ref(account)).await?;
    Ok(found.remove(&account.id).unwrap_or_default())
}
