//! Idempotency: a call repeated with the same `request_id` finds what the first one made.
//!
//! [`check`] before the change, [`remember`] after it, both in the change's own transaction; [`forget`] with the deletion
//! of what was made; [`once`] does it all for a call that is told nothing but an id. A `request_id` belongs to one owner, one method and one set of parameters.

use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter};
use serde::Serialize;
use uuid::Uuid;

use crate::clock::Millis;
use crate::identity::Caller;
use crate::keys::sha256_hex;
use crate::store::entities::requests;
use crate::store::{Store, Tx};
use crate::{Domain, Error, Reason, Result};

/// The id of what the same call made earlier; `None` for a call without `request_id` and for a new one.
///
/// # Errors
/// A violation for a `request_id` that is no UUID; REQUEST_ID_REUSED where it belongs to another method or to other
/// parameters.
pub async fn check(
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

/// Remembers what a call made. Of two calls at the same moment one wins; the other's transaction is run again, and finds
/// by [`check`] what the winner made.
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
        // Named like PostgreSQL's own serialisation failure, which is what it amounts to: the store tries again.
        return Err(DbErr::Custom(
            "could not serialize access: the same request_id at the same moment".to_owned(),
        )
        .into());
    }
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

/// Forgets deletions from before `before`: nothing is left that could be deleted with them. Returns how many went.
pub async fn purge(store: &Store, before: Millis) -> Result<u64> {
    store
        .write(move |tx| {
            async move {
                let gone = requests::Entity::delete_many()
                    .filter(requests::Column::Method.like("Delete%"))
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
