//! `ForgetSession`: the cookies are erased here, and what needs them stops.

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
use crate::{Domain, Reason, Result, publishing, requests};

const METHOD: &str = "ForgetSession";
const STOPPED: &str = "The session was forgotten, and jobs that have not ended need one. Import a session to go on, or cancel them.";

/// Erases every session of an account here, one that is being tried too. An account of the real site whose jobs need one is
/// paused. Forgetting none is no error.
pub async fn forget_session(
    domain: &Domain,
    caller: &Caller,
    account_id: &str,
    request_id: Option<String>,
) -> Result<Account> {
    requests::once(
        domain,
        caller,
        METHOD,
        account_id,
        request_id,
        |tx, owner_id, id| run(tx, owner_id, id).boxed(),
    )
    .await?;
    crate::accounts::get(domain, caller, account_id).await
}

async fn run(tx: &Tx, owner_id: &str, id: &str) -> Result<()> {
    let account = load(tx, owner_id, id).await?;
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
    // Whoever keeps it in memory finds out when the account is next looked at, which is now.
    connection::queue(tx, &account).await?;
    save(tx, account, Kind::AccountSessionForgotten).await?;
    if !open::is_anything(tx, &id).await? {
        return Ok(());
    }
    if is_real {
        return pause(tx, &id, Reason::SessionRequired, STOPPED, None).await;
    }
    // The account is the practice site's own member from now on, and nothing was approved for that one.
    open::cancel(
        tx,
        &id,
        Reason::SessionRequired,
        "the session was forgotten; prepare again",
    )
    .await?;
    if publishing::is_undecided(tx, &id).await? {
        pause(tx, &id, Reason::SessionRequired, STOPPED, None).await?;
    }
    Ok(())
}

/// Erases every session of an account. Returns how many there were.
pub(in crate::accounts) async fn forget_all(tx: &Tx, account_id: &str) -> Result<u64> {
    let gone = sessions::Entity::delete_many()
        .filter(sessions::Column::AccountId.eq(account_id))
        .exec(tx)
        .await?;
    Ok(gone.rows_affected)
}
