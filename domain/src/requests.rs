//! Idempotency: a call repeated with the same `request_id` gets what the first one made.
//!
//! [`check`] comes first in the change's own transaction, and [`remember`] ends it; [`forget`] goes with the deletion of what
//! was made; [`once`] does it all for a call that is told nothing but an id. A `request_id` belongs to one owner, one method
//! and one set of parameters.
//!
//! Calls at the same moment: [`check`] holds the id until the end of the transaction, so that others with it wait, and then
//! read what the first one recorded. So it must come before anything that depends on what the first one changes. What is
//! checked before the transaction asks [`find`] first, and may not refuse what the first call made true.

use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, Statement};
use serde::Serialize;
use uuid::Uuid;

use crate::clock::Millis;
use crate::identity::Caller;
use crate::keys::sha256_hex;
use crate::store::entities::requests;
use crate::store::{Store, Tx};
use crate::{Domain, Error, Reason, Result, failpoints};

/// Holds a `request_id` until the end of the transaction, and returns the id of what the same call made earlier; `None` for a
/// call without one and for a new one. The first thing that a transaction does.
///
/// # Errors
/// As [`find`].
pub async fn check(
    tx: &Tx,
    owner_id: &str,
    request_id: Option<&str>,
    method: &str,
    parameters: &(impl Serialize + Sync + ?Sized),
) -> Result<Option<String>> {
    let Some(request_id) = normal(request_id)? else {
        return Ok(None);
    };
    if failpoints::disables("requests") {
        return Ok(None);
    }
    // SQLite has one writer, which waits already.
    if tx.get_database_backend() == DbBackend::Postgres {
        // A statement of its own: the next one sees what was committed while this one waited.
        let lock = "SELECT pg_advisory_xact_lock(hashtextextended('request ' || $1 || ' ' || $2, 0))";
        let values = [owner_id.into(), request_id.as_str().into()];
        let statement = Statement::from_sql_and_values(DbBackend::Postgres, lock, values);
        tx.execute_raw(statement).await?;
    }
    find(tx, owner_id, Some(&request_id), method, parameters).await
}

/// The id of what the same call made earlier, for a look before the transaction: of two calls at the same moment, both find
/// nothing here.
///
/// # Errors
/// A violation for a `request_id` that is no UUID; REQUEST_ID_REUSED where it belongs to another method or to other
/// parameters.
pub async fn find(
    connection: &impl ConnectionTrait,
    owner_id: &str,
    request_id: Option<&str>,
    method: &str,
    parameters: &(impl Serialize + Sync + ?Sized),
) -> Result<Option<String>> {
    let Some(request_id) = normal(request_id)? else {
        return Ok(None);
    };
    let known = requests::Entity::find_by_id((owner_id.to_owned(), request_id))
        .one(connection)
        .await?;
    match known {
        None => Ok(None),
        Some(row) if row.method == method && row.parameters_hash == hash(parameters)? => {
            Ok(Some(row.resource_id))
        }
        Some(_) => Err(Error::rejected(
            Reason::RequestIdReused,
            "this request_id was used before with other parameters or on another method; make a new one",
        )),
    }
}

/// Remembers what a call made.
///
/// # Errors
/// `Contended` where another call recorded the same id since [`check`]: the store runs the transaction again.
pub async fn remember(
    tx: &Tx,
    owner_id: &str,
    request_id: Option<&str>,
    method: &str,
    parameters: &(impl Serialize + Sync + ?Sized),
    resource_id: &str,
) -> Result<()> {
    let Some(request_id) = normal(request_id)? else {
        return Ok(());
    };
    let row = requests::ActiveModel {
        owner_id: Set(owner_id.to_owned()),
        request_id: Set(request_id),
        method: Set(method.to_owned()),
        parameters_hash: Set(hash(parameters)?),
        resource_id: Set(resource_id.to_owned()),
        create_time: Set(tx.now().await?),
    };
    let key = [requests::Column::OwnerId, requests::Column::RequestId];
    let inserted = requests::Entity::insert(row)
        .on_conflict(OnConflict::columns(key).do_nothing().to_owned())
        .exec_without_returning(tx)
        .await?;
    if inserted == 0 {
        return Err(Error::Contended("the same request_id"));
    }
    Ok(())
}

/// What a call that takes several transactions remembers in the first of them: its repetition finds this, and goes on.
pub const UNFINISHED: &str = "";

/// Remembers what a call made that was remembered as [`UNFINISHED`].
pub async fn finish(tx: &Tx, owner_id: &str, request_id: Option<&str>, resource_id: &str) -> Result<()> {
    let Some(request_id) = normal(request_id)? else {
        return Ok(());
    };
    requests::Entity::update_many()
        .col_expr(requests::Column::ResourceId, Expr::value(resource_id))
        .filter(requests::Column::OwnerId.eq(owner_id))
        .filter(requests::Column::RequestId.eq(request_id))
        .exec(tx)
        .await?;
    Ok(())
}

/// Does to the owner's resource of that id what a call asks for.
pub type Act = for<'a> fn(tx: &'a Tx, owner_id: &'a str, id: &'a str) -> BoxFuture<'a, Result<()>>;

/// Does what a call asks for, in a transaction of its own; the same call again does nothing.
pub async fn once(
    domain: &Domain,
    caller: &Caller,
    method: &'static str,
    id: &str,
    request_id: Option<String>,
    act: Act,
) -> Result<()> {
    let (owner_id, id) = (caller.owner_id.clone(), id.to_owned());
    domain
        .store
        .write(move |tx| {
            let (owner_id, id, request_id) = (owner_id.clone(), id.clone(), request_id.clone());
            async move {
                let request_id = request_id.as_deref();
                if check(tx, &owner_id, request_id, method, &id).await?.is_some() {
                    return Ok(());
                }
                act(tx, &owner_id, &id).await?;
                remember(tx, &owner_id, request_id, method, &id, &id).await
            }
            .boxed()
        })
        .await
}

/// Forgets the calls that made or changed something, because it is gone.
pub async fn forget(tx: &Tx, resource_ids: &[String]) -> Result<()> {
    // Engines limit how many values one statement may carry.
    for ids in resource_ids.chunks(500) {
        let of_these = requests::Column::ResourceId.is_in(ids.iter().map(String::as_str));
        requests::Entity::delete_many().filter(of_these).exec(tx).await?;
    }
    Ok(())
}

/// Forgets deletions from before `before`, with which nothing is left that could go, and what was not finished since. Returns
/// how many went.
pub async fn purge(store: &Store, before: Millis) -> Result<u64> {
    store
        .write(move |tx| {
            async move {
                let gone = requests::Entity::delete_many()
                    .filter(
                        Condition::any()
                            .add(requests::Column::Method.like("Delete%"))
                            .add(requests::Column::ResourceId.eq(UNFINISHED)),
                    )
                    .filter(requests::Column::CreateTime.lt(before))
                    .exec(tx)
                    .await?;
                Ok(gone.rows_affected)
            }
            .boxed()
        })
        .await
}

/// The one spelling of a UUID under which it is remembered.
fn normal(request_id: Option<&str>) -> Result<Option<String>> {
    let Some(text) = request_id.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let parsed = Uuid::parse_str(text).map_err(|_| Error::invalid("request_id", "must be a UUID"))?;
    Ok(Some(parsed.hyphenated().to_string()))
}

fn hash(parameters: &(impl Serialize + ?Sized)) -> Result<String> {
    Ok(sha256_hex(serde_json::to_string(parameters)?))
}
