//! What every change of threads has in common: its `request_id`, the locks, the comparison, the event.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures::FutureExt;
use sea_orm::{ColumnTrait, QueryFilter};
use serde::Serialize;

use super::Thread;
use super::row::{load_all, present, save};
use crate::clock::Millis;
use crate::events::Kind;
use crate::identity::Caller;
use crate::store::entities::threads;
use crate::{Domain, Error, Result, requests};

/// A call that changes threads. `parameters` are what a `request_id` is bound to.
pub(super) struct Change<P> {
    pub method: &'static str,
    pub kind: Kind,
    pub ids: Vec<String>,
    pub parameters: P,
    pub request_id: Option<String>,
}

/// Changes threads, all or none of them, and gives them as they are then, in the order in which they were named. A thread
/// that `apply` leaves as it was is not written, and nothing is said of it.
pub(super) async fn change<P, F>(
    domain: &Domain,
    caller: &Caller,
    change: Change<P>,
    apply: F,
) -> Result<Vec<Thread>>
where
    P: Serialize + Send + Sync + 'static,
    F: Fn(&mut threads::Model, Millis) -> Result<()> + Send + Sync + 'static,
{
    let ids = change.ids.clone();
    let (change, apply, owner_id) = (Arc::new(change), Arc::new(apply), caller.owner_id.clone());
    domain
        .store
        .write(move |tx| {
            let (change, apply, owner_id) = (Arc::clone(&change), Arc::clone(&apply), owner_id.clone());
            async move {
                let (request_id, method) = (change.request_id.as_deref(), change.method);
                let known = requests::check(tx, &owner_id, request_id, method, &change.parameters).await?;
                if known.is_some() {
                    return Ok(());
                }
                let rows = load_all(tx, &owner_id, &change.ids).await?;
                let now = tx.now().await?;
                for (before, person) in rows {
                    let mut after = before.clone();
                    apply(&mut after, now)?;
                    if after != before {
                        save(tx, &before, after, person, change.kind, now).await?;
                    }
                }
                let first = change.ids.first().map_or("", String::as_str);
                requests::remember(tx, &owner_id, request_id, method, &change.parameters, first).await
            }
            .boxed()
        })
        .await?;
    get_all(domain, caller, &ids).await
}

/// The same with one thread.
pub(super) async fn change_one<P, F>(
    domain: &Domain,
    caller: &Caller,
    one: Change<P>,
    apply: F,
) -> Result<Thread>
where
    P: Serialize + Send + Sync + 'static,
    F: Fn(&mut threads::Model, Millis) -> Result<()> + Send + Sync + 'static,
{
    let id = one.ids.first().cloned().unwrap_or_default();
    let mut threads = change(domain, caller, one, apply).await?;
    threads.pop().ok_or_else(|| Error::not_found("thread", id))
}

async fn get_all(domain: &Domain, caller: &Caller, ids: &[String]) -> Result<Vec<Thread>> {
    let each: HashSet<&str> = ids.iter().map(String::as_str).collect();
    let rows = present(&caller.owner_id)
        .filter(threads::Column::Id.is_in(each))
        .all(domain.store.reader())
        .await?;
    let threads: HashMap<String, Thread> = rows
        .into_iter()
        .map(|(row, person)| (row.id.clone(), Thread::of(row, person)))
        .collect();
    ids.iter()
        .map(|id| {
            threads
                .get(id)
                .cloned()
                .ok_or_else(|| Error::not_found("thread", id))
        })
        .collect()
}
