//! `GetInboxCounts`.

use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait as _, FromQueryResult, Statement};

use crate::identity::Caller;
use crate::{Context, Result};

/// The counts of a group of threads. All of them leave out archived and snoozed threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub threads: i64,
    pub unread_threads: i64,
    pub unread_messages: i64,
    pub waiting_for_me: i64,
    pub with_offer: i64,
}

/// The counts of a workspace's inbox: in total, by account and by label.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InboxCounts {
    pub total: Counts,
    /// By account, sorted by account id.
    pub accounts: Vec<(String, Counts)>,
    /// By label, sorted by code point.
    pub labels: Vec<(String, Counts)>,
    pub archived: i64,
    pub snoozed: i64,
}

#[derive(FromQueryResult)]
struct Row {
    name: String,
    threads: i64,
    unread_threads: i64,
    unread_messages: i64,
    waiting_for_me: i64,
    with_offer: i64,
    archived: i64,
    snoozed: i64,
}

/// The sums over the threads `t`; `open` is true for a thread that is neither archived nor snoozed.
const SUMS: &str = "\
    CAST(SUM(CASE WHEN t.open THEN 1 ELSE 0 END) AS BIGINT) AS threads, \
    CAST(SUM(CASE WHEN t.open AND t.unread THEN 1 ELSE 0 END) AS BIGINT) AS unread_threads, \
    CAST(SUM(CASE WHEN t.open THEN t.unread_count ELSE 0 END) AS BIGINT) AS unread_messages, \
    CAST(SUM(CASE WHEN t.open AND t.waiting_for_me THEN 1 ELSE 0 END) AS BIGINT) AS waiting_for_me, \
    CAST(SUM(CASE WHEN t.open AND t.has_offer THEN 1 ELSE 0 END) AS BIGINT) AS with_offer, \
    CAST(SUM(CASE WHEN t.archived THEN 1 ELSE 0 END) AS BIGINT) AS archived, \
    CAST(SUM(CASE WHEN NOT t.archived AND NOT t.open THEN 1 ELSE 0 END) AS BIGINT) AS snoozed";

/// The index `threads_counts` covers every column that these expressions read.
const OPEN: &str = "NOT archived AND (snooze_until IS NULL OR snooze_until <= $2) AS open, \
    archived, unread, unread_count, waiting_for_me, has_offer";

/// Counts the caller's threads.
pub async fn counts(context: &Context, caller: &Caller) -> Result<InboxCounts> {
    let by_account = format!(
        "SELECT t.account_id AS name, {SUMS} FROM (SELECT account_id, {OPEN} FROM threads \
         WHERE workspace_id = $1 AND delete_time IS NULL) t GROUP BY t.account_id ORDER BY t.account_id"
    );
    let by_label = format!(
        "SELECT t.label AS name, {SUMS} FROM (SELECT label, {OPEN} FROM thread_labels \
         JOIN threads ON threads.id = thread_labels.thread_id \
         WHERE thread_labels.workspace_id = $1 AND delete_time IS NULL) t GROUP BY t.label"
    );
    let mut counts = InboxCounts::default();
    for row in read(context, caller, by_account).await? {
        let one = Counts::from(&row);
        counts.total.threads += one.threads;
        counts.total.unread_threads += one.unread_threads;
        counts.total.unread_messages += one.unread_messages;
        counts.total.waiting_for_me += one.waiting_for_me;
        counts.total.with_offer += one.with_offer;
        counts.archived += row.archived;
        counts.snoozed += row.snoozed;
        counts.accounts.push((row.name, one));
    }
    let labels = read(context, caller, by_label).await?;
    counts.labels = labels
        .into_iter()
        .map(|row| (row.name.clone(), Counts::from(&row)))
        .collect();
    // The database would sort by its collation, which depends on its configuration.
    counts.labels.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(counts)
}

async fn read(context: &Context, caller: &Caller, sql: String) -> Result<Vec<Row>> {
    let connection = context.store.reader();
    let values = [
        Value::from(caller.workspace_id.as_str()),
        Value::from(context.clock.now()),
    ];
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    Ok(Row::find_by_statement(statement).all(connection).await?)
}

impl From<&Row> for Counts {
    fn from(row: &Row) -> Self {
        Self {
            threads: row.threads,
            unread_threads: row.unread_threads,
            unread_messages: row.unread_messages,
            waiting_for_me: row.waiting_for_me,
            with_offer: row.with_offer,
        }
    }
}
