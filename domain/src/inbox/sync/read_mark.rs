//! Marking a thread as read on its site, after it was here.

use futures::FutureExt;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use vintedbot_marketplace::Seat;

use crate::accounts::{self, Account, AccountState};
use crate::jobs::Claim;
use crate::store::entities::{accounts as account_rows, threads};
use crate::{Domain, Result};

/// A conversation that is to be marked.
#[derive(Clone, Debug)]
pub struct Mark {
    pub seat: Seat,
    pub remote_id: String,
}

/// What a job is to mark. `None`: it counts as unread again, or the account must not or cannot ask its site for anything.
pub async fn wanted(domain: &Domain, claim: &Claim) -> Result<Option<Mark>> {
    let reader = domain.store.reader();
    let thread_id = claim.job.subject_id.clone().unwrap_or_default();
    let thread = threads::Entity::find_by_id(thread_id).one(reader).await?;
    let Some(thread) = thread.filter(|thread| !thread.unread) else {
        return Ok(None);
    };
    let account = account_rows::Entity::find_by_id(&thread.account_id)
        .one(reader)
        .await?;
    let now = domain.store.now().await?;
    let account = account.filter(|account| {
        account.delete_time.is_none()
            && account.site == thread.site
            && account.state == AccountState::Active
            && account.quiet_until.is_none_or(|until| until <= now)
    });
    let Some(account) = account.map(Account::from) else {
        return Ok(None);
    };
    if accounts::require_session(&account, now).is_err() {
        return Ok(None);
    }
    Ok(Some(Mark {
        seat: accounts::seat(&account),
        remote_id: thread.remote_id,
    }))
}

/// The site took it: that it counts as read there is no news at the next reading.
pub async fn marked(domain: &Domain, claim: &Claim) -> Result<()> {
    let thread_id = claim.job.subject_id.clone().unwrap_or_default();
    domain
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
