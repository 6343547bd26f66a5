//! Idempotency keys: a call repeated with the same `request_id` returns the result of the first call.
//!
//! A transaction calls [`check`] first and [`remember`] last. The deletion of a resource calls [`forget`]. [`once`]
//! combines `check` and `remember` for a call whose only parameter is an id. A `request_id` belongs to one workspace,
//! one method and one set of parameters.
//!
//! Concurrent calls: [`check`] locks the `request_id` until the transaction ends. Other calls with the same
//! `request_id` wait and then read the recorded result. Therefore `check` precedes everything that depends on the first
//! call's changes. Validation before the transaction calls [`find`] first, so that it does not refuse a repeated call
//! because of the first call's own changes.

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
use crate::store::{OfWorkspace, Store, Tx};
use crate::{Context, Error, Reason, Result, failpoints};

/// Locks a `request_id` until the transaction ends and returns the id of the resource that the same call created
/// earlier. `None`: the call has no `request_id`, or a new one. Call this first in a transaction.
///
/// # Errors
/// As [`find`].
pub async fn check(
    tx: &Tx,
    workspace_id: &str,
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
    // SQLite has a single writer, so that its transactions are serial already.
    if tx.get_database_backend() == DbBackend::Postgres {
        // The lock is a separate statement, so that the next statement sees commits made during the wait.
        let lock = "SELECT pg_advisory_xact_lock(hashtextextended('request ' || $1 || ' ' || $2, 0))";
        let values = [workspace_id.into(), request_id.as_str().into()];
        let statement = Statement::from_sql_and_values(DbBackend::Postgres, lock, values);
        tx.execute_raw(statement).await?;
    }
    find(tx, workspace_id, Some(&request_id), method, parameters).await
}

/// Finds the id of the resource that the same call created earlier, without a lock. Use it before the transaction: two
/// concurrent first calls both get `None`.
///
/// # Errors
/// A violation if `request_id` is not a UUID; REQUEST_ID_REUSED if it belongs to another method or to other parameters.
pub async fn find(
    connection: &impl ConnectionTrait,
    workspace_id: &str,
    request_id: Option<&str>,
    method: &str,
    parameters: &(impl Serialize + Sync + ?Sized),
) -> Result<Option<String>> {
    let Some(request_id) = normal(request_id)? else {
        return Ok(None);
    };
    let known = requests::Entity::find_by_id((workspace_id.to_owned(), request_id))
        .one(connection)
        .await?;
    match known {
        None => Ok(None),
        Some(row) if row.method == method && row.parameters_hash == hash(parameters)? => {
            Ok(Some(row.resource_id))
        }
        Some(_) => Err(Error::rejected(
            Reason::RequestIdReused,
            "this request_id was already used with other parameters or another method; use a new one",
        )),
    }
}

/// Records the resource that a call created or changed.
///
/// # Errors
/// `Contended` if another call recorded the same `request_id` since [`check`]. The store then retries the transaction.
pub async fn remember(
    tx: &Tx,
    workspace_id: &str,
    request_id: Option<&str>,
    method: &str,
    parameters: &(impl Serialize + Sync + ?Sized),
    resource_id: &str,
) -> Result<()> {
    let Some(request_id) = normal(request_id)? else {
        return Ok(());
    };
    let row = requests::ActiveModel {
        workspace_id: Set(workspace_id.to_owned()),
        request_id: Set(request_id),
        method: Set(method.to_owned()),
        parameters_hash: Set(hash(parameters)?),
        resource_id: Set(resource_id.to_owned()),
        create_time: Set(tx.now().await?),
    };
    let key = [requests::Column::WorkspaceId, requests::Column::RequestId];
    let inserted = requests::Entity::insert(row)
        .on_conflict(OnConflict::columns(key).do_nothing().to_owned())
        .exec_without_returning(tx)
        .await?;
    if inserted == 0 {
        return Err(Error::Contended("the same request_id"));
    }
    Ok(())
}

/// The resource id that a call of several transactions records in the first one. A repeated call finds it and
/// continues.
pub const UNFINISHED: &str = "";

/// Records the resource id of a call that was recorded as [`UNFINISHED`].
pub async fn finish(tx: &Tx, workspace_id: &str, request_id: Option<&str>, resource_id: &str) -> Result<()> {
    let Some(request_id) = normal(request_id)? else {
        return Ok(());
    };
    requests::Entity::update_many()
        .col_expr(requests::Column::ResourceId, Expr::value(resource_id))
        .of_workspace(workspace_id)
        .filter(requests::Column::RequestId.eq(request_id))
        .exec(tx)
        .await?;
    Ok(())
}

/// The change that a call makes to the resource with the given id.
pub type Act = for<'a> fn(tx: &'a Tx, workspace_id: &'a str, id: &'a str) -> BoxFuture<'a, Result<()>>;

/// Runs `act` in one transaction. A repeated call with the same `request_id` does nothing.
pub async fn once(
    context: &Context,
    caller: &Caller,
    method: &'static str,
    id: &str,
    request_id: Option<String>,
    act: Act,
) -> Result<()> {
    let (workspace_id, id) = (caller.workspace_id.clone(), id.to_owned());
    context
        .store
        .write(move |tx| {
            let (workspace_id, id, request_id) = (workspace_id.clone(), id.clone(), request_id.clone());
            async move {
                let request_id = request_id.as_deref();
                if check(tx, &workspace_id, request_id, method, &id).await?.is_some() {
                    return Ok(());
                }
                act(tx, &workspace_id, &id).await?;
                remember(tx, &workspace_id, request_id, method, &id, &id).await
            }
            .boxed()
        })
        .await
}

/// Removes the idempotency keys of calls that created or changed these deleted resources.
pub async fn forget(tx: &Tx, resource_ids: &[String]) -> Result<()> {
    // Databases limit the number of parameters in a statement.
    for ids in resource_ids.chunks(500) {
        let of_these = requests::Column::ResourceId.is_in(ids.iter().map(String::as_str));
        requests::Entity::delete_many().filter(of_these).exec(tx).await?;
    }
    Ok(())
}

/// Removes idempotency keys of deletions and of unfinished calls that are older than `before`. A deletion leaves no
/// resource whose end would remove its key. Returns the number of removed keys.
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

/// Normalizes a UUID to its hyphenated form. `None`: absent or empty.
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
