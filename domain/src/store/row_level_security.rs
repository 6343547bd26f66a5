//! Row-level security of PostgreSQL: the database itself hides the rows of other workspaces from the call of a client.
//! It is a second fence behind [`OfWorkspace`](super::OfWorkspace).
//!
//! The server runs each authenticated call [`within`] its workspace. Each statement of [`Reader`](super::Reader) and
//! each transaction of [`Store::write`] inside the call then sets `vintedbot.workspace` for its own transaction. A
//! policy on each table with a column `workspace_id` admits only the rows of that workspace. Without a workspace, as in
//! the worker, at start and in the commands of the operator, the policies admit all rows. The same applies after the
//! setting is turned off. During a call, a query over the rows of all workspaces runs in [`of_all_workspaces`], or
//! within a transaction in [`Tx::of_all_workspaces`](super::Tx::of_all_workspaces).
//!
//! Some tables have no column `workspace_id`, because they contain the id of a protected row: `account_locks`,
//! `inbox_syncs` and `remote_items` (of an account), `listing_photos` (of a listing), `listing_form_sessions` and
//! `publish_steps` (of a publish job), `webhook_attempts` (of a delivery), `search_documents` (of a record), and
//! `mail_tokens` (of a user, if there is one yet). The other tables belong to the instance: `attempts`, `catalogs`,
//! `file_removals`, `instance`, `move_positions`, `schedules` and `workers`.
//!
//! The policies apply to the owner of the tables too. A backup with `pg_dump` therefore needs a superuser or the option
//! `--enable-row-security`.

use std::sync::Arc;

use futures::FutureExt;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use super::{Store, Tx};
use crate::{Error, Result};

/// The key of the advisory lock: "fences" in ASCII, to avoid collisions with other locks on the server.
const LOCK: i64 = 0x6665_6e63_6573;
/// The name of the policy on each table.
const POLICY: &str = "vintedbot_workspace";

tokio::task_local! {
    static WORKSPACE: Arc<str>;
}

/// Runs the call of a client within its workspace. Tasks that `call` spawns itself run outside of the workspace.
pub async fn within<F: Future>(workspace_id: &str, call: F) -> F::Output {
    WORKSPACE.scope(workspace_id.into(), call).await
}

/// Runs a query during a call that has to see the rows of all workspaces, such as whether an e-mail address is taken.
pub async fn of_all_workspaces<F: Future>(query: F) -> F::Output {
    within("", query).await
}

/// Returns the workspace of the call that runs in this task.
pub(super) fn workspace() -> Option<Arc<str>> {
    WORKSPACE.try_with(Arc::clone).ok()
}

/// Limits an open transaction to the rows of a workspace. An empty id lifts the limit.
pub(super) async fn limit(transaction: &impl ConnectionTrait, workspace_id: &str) -> Result<(), DbErr> {
    let statement = Statement::from_sql_and_values(
        DbBackend::Postgres,
        "SELECT set_config('vintedbot.workspace', $1, true)",
        [workspace_id.into()],
    );
    transaction.execute_raw(statement).await.map(drop)
}

impl Store {
    /// Protects the tables that are not protected yet, and limits the calls of clients to their workspace.
    ///
    /// # Errors
    /// `Setup` on SQLite, and if the policies would not apply to the database user.
    pub async fn with_row_level_security(mut self) -> Result<Self> {
        if self.backend() != DbBackend::Postgres {
            return Err(Error::Setup(
                "row_level_security requires PostgreSQL; set DATABASE_URL to a PostgreSQL database, or set \
                 row_level_security to false"
                    .to_owned(),
            ));
        }
        self.refuse_exempt_user().await?;
        let tables = self.write(|tx| protect(tx).boxed()).await?;
        if tables > 0 {
            tracing::info!(tables, "row-level security was enabled");
        }
        self.reader = self.reader.with_row_level_security();
        Ok(self)
    }

    async fn refuse_exempt_user(&self) -> Result<()> {
        let statement = Statement::from_string(
            DbBackend::Postgres,
            "SELECT rolname::text AS name, rolsuper OR rolbypassrls AS exempt FROM pg_roles \
             WHERE rolname = current_user",
        );
        let row = self.reader().query_one_raw(statement).await?;
        let row = row.ok_or_else(|| Error::Internal("the database user has no role".to_owned()))?;
        if !row.try_get::<bool>("", "exempt")? {
            return Ok(());
        }
        Err(Error::Setup(format!(
            "row_level_security has no effect on the database user {:?}, which is a superuser or has BYPASSRLS; use \
             another user in DATABASE_URL, which owns the tables, or set row_level_security to false",
            row.try_get::<String>("", "name")?
        )))
    }
}

/// Protects the tables without the policy. Returns their number. A protected table is not altered again, because that
/// takes an exclusive lock.
async fn protect(tx: &Tx) -> Result<usize> {
    tx.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({LOCK})"))
        .await?;
    let statement = Statement::from_sql_and_values(
        DbBackend::Postgres,
        "SELECT t.relname::text AS name, c.attname::text AS key FROM pg_class t \
         JOIN pg_namespace n ON n.oid = t.relnamespace JOIN pg_attribute c ON c.attrelid = t.oid \
         WHERE n.nspname = current_schema() AND t.relkind = 'r' AND NOT c.attisdropped \
         AND (c.attname = 'workspace_id' OR (t.relname = 'workspaces' AND c.attname = 'id')) \
         AND NOT (t.relrowsecurity AND t.relforcerowsecurity \
         AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = t.oid AND p.polname = $1)) ORDER BY t.relname",
        [POLICY.into()],
    );
    let tables = tx.query_all_raw(statement).await?;
    for table in &tables {
        let (name, key): (String, String) = (table.try_get("", "name")?, table.try_get("", "key")?);
        let own = format!("coalesce(current_setting('vintedbot.workspace', true), '') IN ('', {key})");
        for statement in [
            format!("ALTER TABLE {name} ENABLE ROW LEVEL SECURITY"),
            format!("ALTER TABLE {name} FORCE ROW LEVEL SECURITY"),
            format!("DROP POLICY IF EXISTS {POLICY} ON {name}"),
            format!("CREATE POLICY {POLICY} ON {name} USING ({own}) WITH CHECK ({own})"),
        ] {
            tx.execute_unprepared(&statement).await?;
        }
    }
    Ok(tables.len())
}
