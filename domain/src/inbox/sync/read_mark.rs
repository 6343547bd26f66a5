//! Marks a thread as read on the site after it was read here.

use futures::FutureExt;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use vintedbot_marketplace::AccountContext;

use crate::accounts::{self, Account, AccountState};
use crate::jobs::Claim;
use crate::store::entities::{accounts as account_rows, threads};
use crate::{Context, Result};

/// A conversation to mark as read.
#[derive(Clone, Debug)]
pub struct Mark {
    pub account_context: AccountContext,
    pub remote_id: String,
}

/// Returns the conversation that the job marks as read. `None`: the thread is unread again, or the account may not send
/// requests now.
pub async fn wanted(context: &Context, claim: &Claim) -> Result<Option<Mark>> {
    let reader = context.store.reader();
    let thread_id = claim.job.subject_id.clone().unwrap_or_default();
    let thread = threads::Entity::find_by_id(thread_id).one(reader).await?;
    let Some(thread) = thread.filter(|thread| !thread.unread) else {
        return Ok(None);
    };
    let account = account_rows::Entity::find_by_id(&thread.account_id)
        .one(reader)
        .await?;
    let now = context.store.now().await?;
    let account = account.filter(|account| {
        account.delete_time.is_none()
            && account.site == thread.site
            && account.state == AccountState::Active
            && account.cooldown_until.is_none_or(|until| until <= now)
    });
    let Some(account) = account.map(Account::from) else {
        return Ok(None);
    };
    if accounts::require_session(&account, now).is_err() {
        return Ok(None);
    }
    Ok(Some(Mark {
        account_context: accounts::account_context(&account),
        remote_id: thread.remote_id,
    }))
}

/// Records that the site marked the thread as read, so that the next reading does not report this as a change.
pub async fn marked(context: &Context, claim: &Claim) -> Result<()> {
    let thread_id = claim.job.subject_id.clone().unwrap_or_default();
    context
        .store
        .write(move |tx| {
            let thread_id = thread_id.clone();
            async move {
                threads::Entity::update_many()
                    .col_expr(threads::Column::RemoteUnread, Expr::value(false))
                    .filter(threads::Column::Id.eq(thread_id))
                    .exec(tx)
                    .await?;
                Ok(())
            }
            .boxed()
        })
        .await
}
