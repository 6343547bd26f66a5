//! The rows of a workspace, read from the database beside the running instance.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, ensure};
use sea_orm::{ConnectionTrait as _, FromQueryResult as _, JsonValue, Statement};
use tokio::time::{Instant, sleep};
use vintedbot_domain::store::Store;
use vintedbot_domain::transfer;

/// The column with the id of the workspace.
const WORKSPACE: &str = "workspace_id";
/// For this long, nothing may change before the calls.
const QUIET: Duration = Duration::from_secs(2);
const QUIET_WITHIN: Duration = Duration::from_secs(60);

/// The rows by table, as sorted JSON.
pub type Rows = BTreeMap<String, Vec<String>>;

/// Reads the rows of a workspace from all tables that have them.
pub async fn of_workspace(store: &Store, workspace_id: &str) -> Result<Rows> {
    let reader = store.reader();
    let mut rows = Rows::new();
    for table in transfer::tables(store).await? {
        if !table.columns.iter().any(|column| column.name == WORKSPACE) {
            continue;
        }
        let query = format!("SELECT * FROM {} WHERE {WORKSPACE} = $1", table.name);
        let values = [workspace_id.into()];
        let query = Statement::from_sql_and_values(reader.get_database_backend(), query, values);
        let found = JsonValue::find_by_statement(query).all(reader).await?;
        let mut found: Vec<_> = found.iter().map(ToString::to_string).collect();
        found.sort_unstable();
        rows.insert(table.name, found);
    }
    Ok(rows)
}

/// Waits until the rows of a workspace stop to change, and returns them.
pub async fn at_rest(store: &Store, workspace_id: &str) -> Result<Rows> {
    let until = Instant::now() + QUIET_WITHIN;
    let mut before = of_workspace(store, workspace_id).await?;
    loop {
        sleep(QUIET).await;
        let rows = of_workspace(store, workspace_id).await?;
        if rows == before {
            return Ok(rows);
        }
        ensure!(
            Instant::now() < until,
            "the tables {:?} change without a call",
            changed(&before, &rows)
        );
        before = rows;
    }
}

/// Returns the tables whose rows differ.
pub fn changed<'a>(before: &Rows, after: &'a Rows) -> Vec<&'a str> {
    let tables = after
        .iter()
        .filter(|(table, rows)| before.get(*table) != Some(*rows));
    tables.map(|(table, _)| table.as_str()).collect()
}
