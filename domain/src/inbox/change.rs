//! The common part of all calls that change threads: `request_id`, locks, comparison and event.

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
use crate::{Context, Error, Result, requests};

/// A call that changes threads. A repeated `request_id` must come with the same `parameters`.
pub(super) struct Change<P> {
    pub method: &'static str,
    pub kind: Kind,
    pub ids: Vec<String>,
    pub parameters: P,
    pub request_id: Option<String>,
}

/// Applies `apply` to all named threads or to none, in one transaction. Returns the changed threads in the order of
/// `ids`. A thread that `apply` leaves unchanged is not written and emits no event.
pub(super) async fn change<P, F>(
    context: &Context,
    caller: &Caller,
    change: Change<P>,
    apply: F,
) -> Result<Vec<Thread>>
where
    P: Serialize + Send + Sync + 'static,
    F: Fn(&mut threads::Model, Millis) -> Result<()> + Send + Sync + 'static,
{
    let ids = change.ids.clone();
    let (change, apply, workspace_id) = (Arc::new(change), Arc::new(apply), caller.workspace_id.clone());
    context
        .store
        .write(move |tx| {
            let (change, apply, workspace_id) =
                (Arc::clone(&change), Arc::clone(&apply), workspace_id.clone());
            async move {
                let (request_id, method) = (change.request_id.as_deref(), change.method);
                let known =
                    requests::check(tx, &workspace_id, request_id, method, &change.parameters).await?;
                if known.is_some() {
                    return Ok(());
                }
                let rows = load_all(tx, &workspace_id, &change.ids).await?;
                let now = tx.now().await?;
                for (before, person) in rows {
                    let mut after = before.clone();
                    apply(&mut after, now)?;
                    if after != before {
                        save(tx, &before, after, person, change.kind, now).await?;
                    }
                }
                let first = change.ids.first().map_or("", String::as_str);
                requests::remember(tx, &workspace_id, request_id, method, &change.parameters, first).await
            }
            .boxed()
        })
        .await?;
    get_all(context, caller, &ids).await
}

/// Changes one thread, as [`change`] does.
pub(super) async fn change_one<P, F>(
    context: &Context,
    caller: &Caller,
    one: Change<P>,
    apply: F,
) -> Result<Thread>
where
    P: Serialize + Send + Sync + 'static,
    F: Fn(&mut threads::Model, Millis) -> Result<()> + Send + Sync + 'static,
{
    let id = one.ids.first().cloned().unwrap_or_default();
    let mut threads = change(context, caller, one, apply).await?;
    threads.pop().ok_or_else(|| Error::not_found("thread", id))
}

async fn get_all(context: &Context, caller: &Caller, ids: &[String]) -> Result<Vec<Thread>> {
    let each: HashSet<&str> = ids.iter().map(String::as_str).collect();
    let rows = present(&caller.workspace_id)
        .filter(threads::Column::Id.is_in(each))
        .all(context.store.reader())
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
