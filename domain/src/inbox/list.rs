//! `ListThreads`.

use std::collections::HashSet;

use sea_orm::sea_query::{ExprTrait, Query};
use sea_orm::{ColumnTrait, Condition, IntoSimpleExpr, QueryFilter, QueryOrder, QuerySelect};
use serde::Serialize;

use super::Thread;
use super::row::present;
use super::text::{BULK_MAX, LABEL_MAX, check_name};
use crate::clock::Millis;
use crate::identity::Caller;
use crate::paging::{self, Order, Page, PageRequest, Place, Window};
use crate::store::entities::threads::Column;
use crate::store::entities::{people, thread_labels, threads};
use crate::{Domain, Error, Result, Violation};

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
    let mut query = present(&caller.owner_id).filter(condition(&caller.owner_id, filter, domain.clock.now()));
    if let Some(behind) = window.condition(Column::LastMessageTime, Column::Id, Order::NewestFirst) {
        query = query.filter(behind);
    }
    let rows = query
        .order_by_desc(Column::LastMessageTime)
        .order_by_desc(Column::Id)
        .limit(window.to_read())
        .all(domain.store.reader())
        .await?;
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
fn condition(owner_id: &str, filter: &Filter, now: Millis) -> Condition {
    let mut all = Condition::all();
    if !filter.account_ids.is_empty() {
        let accounts: HashSet<&str> = filter.account_ids.iter().map(String::as_str).collect();
        all = all.add(Column::AccountId.is_in(accounts));
    }
    let flags = [
        (Column::Archived, Some(filter.archived)),
        (Column::Unread, filter.unread),
        (Column::HasOffer, filter.has_offer),
        (Column::WaitingForMe, filter.waiting_for_me),
    ];
    for (column, wanted) in flags {
        let bare = column.into_simple_expr();
        all = match wanted {
            Some(true) => all.add(bare),
            Some(false) => all.add(bare.not()),
            None => all,
        };
    }
    all = if filter.snoozed {
        all.add(Column::SnoozeUntil.gt(now))
    } else {
        all.add(
            Condition::any()
                .add(Column::SnoozeUntil.is_null())
                .add(Column::SnoozeUntil.lte(now)),
        )
    };
    if !filter.label.is_empty() {
        let labelled = Query::select()
            .column(thread_labels::Column::ThreadId)
            .from(thread_labels::Entity)
            .and_where(thread_labels::Column::OwnerId.eq(owner_id))
            .and_where(thread_labels::Column::Label.eq(filter.label.as_str()))
            .to_owned();
        all = all.add(Column::Id.in_subquery(labelled));
    }
    if let Some(since) = filter.changed_since.filter(|since| *since > 0) {
        all = all.add(Column::Sequence.gt(since));
    }
    all
}
