//! The watch for items that appear after their publication was settled as not done.

use std::collections::HashMap;

use futures::FutureExt;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use vintedbot_marketplace::{AccountContext, RemoteItem};

use super::job::{load, save};
use super::{EffectKind, EffectState, Revision, claims, reconcile};
use crate::accounts::{self, Account, AccountState};
use crate::events::Kind;
use crate::store::entities::{accounts as account_rows, effects};
use crate::{Context, Reason, Result};

/// Returns the account contexts of accounts with a watch. Accounts that are paused or in a cooldown are omitted.
pub async fn watched_accounts(context: &Context) -> Result<Vec<AccountContext>> {
    let effects = effects::Entity::find()
        .filter(effects::Column::Kind.is_in(EffectKind::PUBLISHES))
        .filter(effects::Column::WatchUntil.is_not_null());
    let mut ids: Vec<String> = effects
        .all(context.store.reader())
        .await?
        .into_iter()
        .map(|e| e.account_id)
        .collect();
    ids.sort_unstable();
    ids.dedup();
    let rows = account_rows::Entity::find()
        .filter(account_rows::Column::Id.is_in(ids))
        .filter(account_rows::Column::State.eq(AccountState::Active))
        .filter(account_rows::Column::DeleteTime.is_null())
        .all(context.store.reader())
        .await?;
    let now = context.store.now().await?;
    Ok(rows
        .into_iter()
        .filter(|row| row.cooldown_until.is_none_or(|until| until <= now))
        .map(|row| accounts::account_context(&Account::from(row)))
        .collect())
}

/// Compares an account's wardrobe with its watched effects, and ends watches that are over. Returns the number of
/// possible duplicates found.
pub async fn compare(context: &Context, account_id: &str, wardrobe: &[RemoteItem]) -> Result<u32> {
    let (account_id, wardrobe) = (account_id.to_owned(), wardrobe.to_vec());
    context
        .store
        .write(move |tx| {
            let (account_id, wardrobe) = (account_id.clone(), wardrobe.clone());
            async move {
                tx.locked(account_rows::Entity::find_by_id(&account_id))
                    .one(tx)
                    .await?;
                let claimed: HashMap<String, String> = claims::claimed(tx, &account_id).await?;
                let watched = effects::Entity::find()
                    .filter(effects::Column::AccountId.eq(account_id.as_str()))
                    .filter(effects::Column::Kind.is_in(EffectKind::PUBLISHES))
                    .filter(effects::Column::State.eq(EffectState::NotDone))
                    .filter(effects::Column::WatchUntil.is_not_null());
                let now = tx.now().await?;
                let mut found = 0;
                for effect in watched.all(tx).await? {
                    let mut row = load(tx, &effect.subject_id).await?;
                    let content = Revision::decode(&row.revision, &row.revision_hash)?.content;
                    let late = reconcile::candidates(&effect, &content, &claimed, &wardrobe)
                        .into_iter()
                        .find(|item| row.remote_item_id.as_deref() != Some(item.id.as_str()));
                    if let Some(item) = late {
                        found += 1;
                        row.possible_duplicate = true;
                        row.reason = Some(Reason::PossibleDuplicate.name());
                        row.message = Some(format!(
                            "item {} appeared on the site after its publication was settled as not done",
                            item.id
                        ));
                        save(tx, row, Kind::PossibleDuplicate).await?;
                    }
                    if late.is_some() || effect.watch_until.is_some_and(|until| until <= now) {
                        effects::Entity::update_many()
                            .col_expr(effects::Column::WatchUntil, Expr::value(None::<i64>))
                            .filter(effects::Column::Id.eq(effect.id))
                            .exec(tx)
                            .await?;
                    }
                }
                Ok(found)
            }
            .boxed()
        })
        .await
}
