//! The freshness of accounts' inboxes.

use std::collections::HashMap;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde::{Deserialize, Serialize};

use crate::accounts::Account;
use crate::clock::Millis;
use crate::store::entities::inbox_syncs;
use crate::{Context, Reason, Result};

/// The times of the last and the next reading of an account's inbox.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freshness {
    /// The time of the last complete reading. Absent: no reading was complete.
    pub last_read_time: Option<Millis>,
    /// The time of the next scheduled reading. Absent: no reading is scheduled.
    pub next_read_time: Option<Millis>,
    /// The site that was read.
    pub source: String,
    /// The reason for which the last reading was not complete. Absent: it was complete.
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

/// Returns the freshness of these accounts' inboxes by account id, each for the site on which the account works now.
pub async fn freshness(context: &Context, accounts: &[Account]) -> Result<HashMap<String, Freshness>> {
    let ids = accounts.iter().map(|account| account.id.as_str());
    let rows = inbox_syncs::Entity::find()
        .filter(inbox_syncs::Column::AccountId.is_in(ids))
        .all(context.store.reader())
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

/// Returns the freshness of one account's inbox.
pub async fn freshness_of(context: &Context, account: &Account) -> Result<Freshness> {
    let mut found = freshness(context, std::slice::from_ref(account)).await?;
    Ok(found.remove(&account.id).unwrap_or_default())
}
