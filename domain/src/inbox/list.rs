//! `ListThreads`.

use std::collections::HashSet;

use sea_orm::sea_query::ExprTrait;
use sea_orm::{
    ColumnTrait, EntityTrait, IntoSimpleExpr, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    SelectTwoRequired,
};
use serde::Serialize;
use vintedbot_marketplace::text;

use super::Thread;
use super::row::present;
use super::text::{BULK_MAX, LABEL_MAX, check_name};
use crate::clock::Millis;
use crate::events;
use crate::identity::Caller;
use crate::paging::{self, Order, Page, PageQuery, PageRequest, Position};
use crate::store::OfWorkspace;
use crate::store::entities::threads::Column;
use crate::store::entities::{people, thread_labels, threads};
use crate::{Context, Error, Result, Violation};

/// Below this many changes, sort the changed rows instead of scanning the list's index.
const FEW: i64 = 2_000;

/// The filter of `ListThreads`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Filter {
    /// Empty: all accounts.
    pub account_ids: Vec<String>,
    pub unread: Option<bool>,
    pub archived: bool,
    pub has_offer: Option<bool>,
    pub waiting_for_me: Option<bool>,
    pub snoozed: bool,
    /// Empty: with or without labels.
    pub label: String,
    /// Only threads changed after this sequence.
    pub changed_since: Option<i64>,
}

/// Lists the caller's threads, newest message first.
pub async fn list(
    context: &Context,
    caller: &Caller,
    filter: &Filter,
    page: &PageRequest,
) -> Result<Page<Thread>> {
    check(filter)?;
    let method = (caller.workspace_id.as_str(), "ListThreads");
    let window = PageQuery::<Position>::open(&context.keys, paging::RESOURCES, method, filter, page)?;
    let head = match filter.changed_since {
        Some(_) => events::head(&context.store, &caller.workspace_id).await?,
        None => 0,
    };
    let mut query = query(&caller.workspace_id, filter, context.clock.now(), head);
    if let Some(behind) = window.condition(Column::LastMessageTime, Column::Id, Order::NewestFirst) {
        query = query.filter(behind);
    }
    let rows = query.limit(window.to_read()).all(context.store.reader()).await?;
    window.close(&context.keys, threads(rows), |thread| {
        (thread.last_message_time, thread.id.clone())
    })
}

/// Lists all threads of the caller by id, including archived and snoozed ones. The order is stable while a client reads
/// the pages, because ids do not change.
pub async fn list_all(context: &Context, caller: &Caller, page: &PageRequest) -> Result<Page<Thread>> {
    let method = (caller.workspace_id.as_str(), "all threads");
    let window = PageQuery::<String>::open(&context.keys, paging::RESOURCES, method, &(), page)?;
    let mut query = present(&caller.workspace_id);
    if let Some(after) = &window.after {
        query = query.filter(Column::Id.gt(after.as_str()));
    }
    let rows = query
        .order_by_asc(Column::Id)
        .limit(window.to_read())
        .all(context.store.reader())
        .await?;
    window.close(&context.keys, threads(rows), |thread| thread.id.clone())
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
            format!("must name at most {BULK_MAX} accounts"),
        ));
    }
    if !filter.label.is_empty() {
        let label = text::normalize_name(&filter.label);
        violations.extend(check_name("label", &label, LABEL_MAX));
    }
    if violations.is_empty() {
        Ok(())
    } else {
        Err(Error::Invalid(violations))
    }
}

/// Booleans are bare columns, not bound values, so that the planner can match the partial indexes.
fn query(
    workspace_id: &str,
    filter: &Filter,
    now: Millis,
    head: i64,
) -> SelectTwoRequired<threads::Entity, people::Entity> {
    let mut query = present(workspace_id);
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
        // A label that an older version stored may have another form than the common one.
        let normalized = text::normalize_name(&filter.label);
        let forms = [filter.label.as_str(), &*normalized];
        let labelled = thread_labels::Entity::find()
            .select_only()
            .column(thread_labels::Column::ThreadId)
            .of_workspace(workspace_id)
            .filter(thread_labels::Column::Label.is_in(forms))
            .into_query();
        query = query.filter(Column::Id.in_subquery(labelled));
    }
    if let Some(since) = filter.changed_since.filter(|since| *since > 0) {
        let changed = if head - since <= FEW {
            Column::Sequence.gt(since)
        } else {
            // Many rows may have changed, and sorting them would take longer than scanning the list's index. As part of
            // a sum, the column cannot use its own index.
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

    use sea_orm::{ConnectionTrait, DbBackend, Statement};

    use super::*;
    use crate::clock::SystemClock;
    use crate::ids::SystemIds;
    use crate::store;

    #[tokio::test]
    async fn list_uses_an_index_without_sorting_for_every_filter() {
        let store = store::connect("sqlite::memory:", Arc::new(SystemClock), Arc::new(SystemIds))
            .await
            .expect("opens");
        vintedbot_migrations::run_locked(store.writer())
            .await
            .expect("migrates");
        let all = Filter::default;
        let some = |one: &str| vec![one.to_owned()];
        let ways = [
            (all(), "threads_workspace"),
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
                "threads_workspace",
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
                "threads_workspace",
            ),
            (
                Filter {
                    changed_since: Some(1),
                    ..all()
                },
                "threads_workspace",
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
        let query = query("workspace", filter, 1, head)
            .limit(51)
            .build(DbBackend::Sqlite);
        let explain = Statement::from_string(DbBackend::Sqlite, format!("EXPLAIN QUERY PLAN {query}"));
        let rows = store.reader().query_all_raw(explain).await.expect("a plan");
        let steps = rows
            .iter()
            .map(|row| row.try_get::<String>("", "detail").expect("text"));
        steps.collect::<Vec<_>>().join("\n")
    }
}
