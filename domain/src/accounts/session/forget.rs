//! `ForgetSession`: erases an account's cookies and stops the jobs that need them.

use futures::FutureExt;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use vintedbot_marketplace::markets::PRACTICE;

use crate::accounts::account::{load, save};
use crate::accounts::open;
use crate::accounts::{Account, connection, pause};
use crate::events::Kind;
use crate::identity::Caller;
use crate::store::Tx;
use crate::store::entities::{accounts, sessions};
use crate::{Context, Reason, Result, publishing, requests};

const METHOD: &str = "ForgetSession";
const STOPPED: &str =
    "The session was forgotten, but open jobs need one. Import a session, or cancel these jobs.";

/// Erases every stored session of an account, including an imported session that is still being tested.
///
/// On the real site, the account is paused if publish jobs, replies or thread removals are open. On the practice site,
/// those without a committed intent are cancelled, and the account is paused only if an effect is in doubt. It is not
/// an error if the account has no session.
pub async fn forget_session(
    context: &Context,
    caller: &Caller,
    account_id: &str,
    request_id: Option<String>,
) -> Result<Account> {
    requests::once(
        context,
        caller,
        METHOD,
        account_id,
        request_id,
        |tx, workspace_id, id| run(tx, workspace_id, id).boxed(),
    )
    .await?;
    crate::accounts::get(context, caller, account_id).await
}

async fn run(tx: &Tx, workspace_id: &str, id: &str) -> Result<()> {
    let account = load(tx, workspace_id, id).await?;
    match forget_all(tx, id).await? {
        0 => Ok(()),
        _ => forgotten(tx, account).await,
    }
}

async fn forgotten(tx: &Tx, account: accounts::Model) -> Result<()> {
    let is_real = account.site != PRACTICE;
    let account = accounts::Model {
        session: None,
        ..account
    };
    let id = account.id.clone();
    // The job makes the worker process read the account now, so that it drops the session from its cache.
    connection::queue(tx, &account).await?;
    save(tx, account, Kind::AccountSessionForgotten).await?;
    if !open::is_anything(tx, &id).await? {
        return Ok(());
    }
    if is_real {
        return pause(tx, &id, Reason::SessionRequired, STOPPED, None).await;
    }
    // From now on the account is the practice site's default member, for whom nothing was approved.
    open::cancel(
        tx,
        &id,
        Reason::SessionRequired,
        "the session was forgotten; prepare again",
    )
    .await?;
    if publishing::is_in_doubt(tx, &id).await? {
        pause(tx, &id, Reason::SessionRequired, STOPPED, None).await?;
    }
    Ok(())
}

/// Erases every session of an account. Returns the number of erased sessions.
pub(in crate::accounts) async fn forget_all(tx: &Tx, account_id: &str) -> Result<u64> {
    let gone = sessions::Entity::delete_many()
        .filter(sessions::Column::AccountId.eq(account_id))
        .exec(tx)
        .await?;
    Ok(gone.rows_affected)
}
