//! `ListThreads`.

use std::collections::HashSet;

use sea_orm::sea_query::{ExprTrait, Query};
use sea_orm::{ColumnTrait, IntoSimpleExpr, QueryFilter, QueryOrder, QuerySelect, SelectTwoRequired};
use serde::Serialize;

use super::Thread;
use super::row::present;
use super::text::{BULK_MAX, LABEL_MAX, check_name};
use crate::clock::Millis;
use crate::events;
use crate::identity::Caller;
use crate::paging::{self, Order, Page, PageRequest, Place, Window};
use crate::store::entities::threads::Column;
use crate::store::entities::{people, thread_labels, threads};
use crate::{Domain, Error, Result, Violation};

/// So many changes since, at most, that sorting what changed is quicker than passing over what has not.
const FEW: i64 = 2_000;

/// Which threads to list.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Filter {
    /// Empty: of all accounts.
    pub account_ids: Vec<String>,
    pub unread: Option<bool>,
    pub archived: bool,
    pub has_offer: Option<bool>,
    pub waiting_for_me: Option<bool>,
    pub snoozed: bool,
    /// Empty: with any label or none.
    pub label: String,
    /// Only what changed after this sequence.
    pub changed_since: Option<i64>,
}

/// The caller's threads, the one with the newest message first.
pub async fn list(
    domain: &Domain,
    caller: &Caller,
    filter: &Filter,
    page: &PageRequest,
) -> Result<Page<Thread>> {
    check(filter)?;
    let method = (caller.owner_id.as_str(), "ListThreads");
    let window = Window::<Place>::open(&domain.keys, paging::RESOURCES, method, filter, page)?;
    let head = match filter.changed_since {
        Some(_) => events::head(&domain.store, &caller.owner_id).await?,
        None => 0,
    };
    let mut query = query(&caller.owner_id, filter, domain.clock.now(), head);
    if let Some(behind) = window.condition(Column::LastMessageTime, Column::Id, Order::NewestFirst) {
        query = query.filter(behind);
    }
    let rows = query.limit(window.to_read()).all(domain.store.reader()).await?;
    window.close(&domain.keys, threads(rows), |thread| {
        (thread.last_message_time, thread.id.clone())
    })
}

/// All threads of the caller, archived and put away ones too, in the order of their ids, in which none moves while they are
/// read.
pub async fn list_all(domain: &Domain, caller: &Caller, page: &PageRequest) -> Result<Page<Thread>> {
    let method = (caller.owner_id.as_str(), "all threads");
    let window = Window::<String>::open(&domain.keys, paging::RESOURCES, method, &(), page)?;
    let mut query = present(&caller.owner_id);
    if let Some(after) = &window.after {
        query = query.filter(Column::Id.gt(after.as_str()));
    }
    let rows = query
        .order_by_asc(Column::Id)
        .limit(window.to_read())
        .all(domain.store.reader())
        .await?;
    window.close(&domain.keys, threads(rows), |thread| thread.id.clone())
}

fn threads(rows: Vec<(threads::Model, people::Model)>) -> Vec<Thread> {
    rows.into_iter()
        .map(|(row, person)| Thread::of(row, person))
        .collect()
}

fn check(filter: &Filter) -> Result<()> {
    let mut violations = Vec::new();
    if filter.account_ids.len() > BULK_MAX {
        violations.push(Violation::new(
            "account_ids",
            format!("must be at most {BULK_MAX} accounts"),
        ));
    }
    if !filter.label.is_empty() {
        violations.extend(check_name("label", &filter.label, LABEL_MAX));
    }
    if violations.is_empty() {
        Ok(())
    } else {
        Err(Error::Invalid(violations))
    }
}

/// Booleans stand in it bare, not as values, so that a partial index is seen to fit.
fn query(
    owner_id: &str,
    filter: &Filter,
    now: Millis,
    head: i64,
) -> SelectTwoRequired<threads::Entity, people::Entity> {
    let mut query = present(owner_id);
    if !filter.account_ids.is_empty() {
        let accounts: HashSet<&str> = filter.account_ids.iter().map(String::as_str).collect();
        query = query.filter(Column::AccountId.is_in(accounts));
    }
    let flags = [
        (Column::Archived, Some(filter.archived)),
        (Column::Unread, filter.unread),
        (Column::HasOffer, filter.has_offer),
        (Column::WaitingForMe, filter.waiting_for_me),
    ];
    for (column, wanted) in flags {
        let bare = column.into_simple_expr();
        query = match wanted {
            Some(true) => query.filter(bare),
            Some(false) => query.filter(bare.not()),
            None => query,
        };
    }
    query = if filter.snoozed {
        query.filter(Column::SnoozeUntil.gt(now))
    } else {
        let is_over = Column::SnoozeUntil.is_null().or(Column::SnoozeUntil.lte(now));
        query.filter(is_over)
    };
    if !filter.label.is_empty() {
        let labelled = Query::select()
            .column(thread_labels::Column::ThreadId)
            .from(thread_labels::Entity)
            .and_where(thread_labels::Column::OwnerId.eq(owner_id))
            .and_where(thread_labels::Column::Label.eq(filter.label.as_str()))
            .to_owned();
        query = query.filter(Column::Id.in_subquery(labelled));
    }
    if let Some(since) = filter.changed_since.filter(|since| *since > 0) {
        let changed = if head - since <= FEW {
            Column::Sequence.gt(since)
        } else {
            // Much may have changed, and sorting it would take longer than passing over what has not: in a sum, the column
            // takes no index.
            Column::Sequence.into_simple_expr().add(0).gt(since)
        };
        query = query.filter(changed);
    }
    query
        .order_by_desc(Column::LastMessageTime)
        .order_by_desc(Column::Id)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sea_orm::{ConnectionTrait, DbBackend, QueryTrait, Statement};

    use super::*;
    use crate::clock::SystemClock;
    use crate::ids::SystemIds;
    use crate::store;

    #[tokio::test]
    async fn every_way_to_list_walks_an_index_and_stops_when_the_page_is_full() {
        let store = store::connect("sqlite::memory:", Arc::new(SystemClock), Arc::new(SystemIds))
            .await
            .expect("opens");
        vintedbot_migrations::run_locked(store.writer())
            .await
            .expect("migrates");
        let all = Filter::default;
        let some = |one: &str| vec![one.to_owned()];
        let ways = [
            (all(), "threads_owner"),
            (
                Filter {
                    unread: Some(true),
                    ..all()
                },
                "threads_unread",
            ),
            (
                Filter {
                    unread: Some(false),
                    ..all()
                },
                "threads_owner",
            ),
            (
                Filter {
                    waiting_for_me: Some(true),
                    ..all()
                },
                "threads_waiting",
            ),
            (
                Filter {
                    has_offer: Some(true),
                    ..all()
                },
                "threads_offer",
            ),
            (
                Filter {
                    archived: true,
                    ..all()
                },
                "threads_archived",
            ),
            (
                Filter {
                    snoozed: true,
                    ..all()
                },
                "threads_snoozed",
            ),
            (
                Filter {
                    account_ids: some("a"),
                    ..all()
                },
                "threads_account",
            ),
            (
                Filter {
                    label: "a".to_owned(),
                    ..all()
                },
                "threads_owner",
            ),
            (
                Filter {
                    changed_since: Some(1),
                    ..all()
                },
                "threads_owner",
            ),
        ];
        for (filter, index) in ways {
            let plan = plan(&store, &filter, 1_000_000).await;
            assert!(
                plan.contains(&format!("threads USING INDEX {index} ")),
                "{filter:?}: {plan}"
            );
            assert!(!plan.contains("ORDER BY"), "{filter:?}: {plan}");
        }
        let lately = Filter {
            changed_since: Some(999_990),
            ..all()
        };
        let plan = plan(&store, &lately, 1_000_000).await;
        assert!(plan.contains("USING INDEX threads_sequence "), "{plan}");
    }

    async fn plan(store: &store::Store, filter: &Filter, head: i64) -> String {
        let query = query("owner", filter, 1, head).limit(51).build(DbBackend::Sqlite);
        let explain = Statement::from_string(DbBackend::Sqlite, format!("EXPLAIN QUERY PLAN {query}"));
        let rows = store.reader().query_all_raw(explain).await.expect("a plan");
        let steps = rows
            .iter()
            .map(|row| row.try_get::<String>("", "detail").expect("text"));
        steps.collect::<Vec<_>>().join("\n")
    }
}
