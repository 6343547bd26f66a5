//! The connections for reads outside of a transaction.

use std::future::Future;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseExecutor, DbBackend, DbErr, ExecResult, QueryResult,
    Statement, TransactionTrait,
};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

use super::row_level_security;
use crate::failpoints;

/// Connections for reads. Each statement runs in a spawned task and returns all its rows at once.
///
/// The caller's future never holds a connection of the pool. A future can stay suspended for as long as a client likes:
/// HTTP/2 does not poll a response body while the client's flow-control window is full. If that future held a
/// connection, a few clients that do not read would take the whole pool. The task is polled by the runtime, so the
/// connection returns to the pool when the statement ends. Dropping the caller's future aborts the task.
///
/// `Reader` does not implement `StreamTrait`: a row stream would hold its connection until the last row is taken.
#[derive(Clone, Debug)]
pub struct Reader {
    pool: DatabaseConnection,
    row_level_security: bool,
}

impl From<DatabaseConnection> for Reader {
    fn from(pool: DatabaseConnection) -> Self {
        Self {
            pool,
            row_level_security: false,
        }
    }
}

impl Reader {
    /// Checks that the database answers.
    ///
    /// # Errors
    /// The database fails, or no connection becomes free within the pool's time limit.
    pub async fn ping(&self) -> Result<(), DbErr> {
        let pool = self.pool.clone();
        spawned(async move { pool.ping().await }).await
    }

    /// Closes all connections of the pool.
    ///
    /// # Errors
    /// The database fails.
    pub async fn close(self) -> Result<(), DbErr> {
        self.pool.close().await
    }

    pub(super) fn pool(&self) -> &DatabaseConnection {
        &self.pool
    }

    pub(super) fn with_row_level_security(self) -> Self {
        Self {
            row_level_security: true,
            ..self
        }
    }

    /// Returns the workspace to which row-level security limits the current call.
    pub(super) fn workspace(&self) -> Option<Arc<str>> {
        self.row_level_security
            .then(row_level_security::workspace)
            .flatten()
    }

    async fn run<T, S>(&self, statement: S) -> Result<T, DbErr>
    where
        T: Send + 'static,
        S: for<'c> FnOnce(DatabaseExecutor<'c>) -> BoxFuture<'c, Result<T, DbErr>> + Send + 'static,
    {
        let (pool, workspace) = (self.pool.clone(), self.workspace());
        spawned(async move {
            let Some(workspace) = workspace else {
                return statement((&pool).into()).await;
            };
            #[expect(
                clippy::disallowed_methods,
                reason = "the setting of the workspace lasts for one transaction, which runs one statement"
            )]
            let transaction = pool.begin().await?;
            row_level_security::limit(&transaction, &workspace).await?;
            let result = statement((&transaction).into()).await?;
            transaction.commit().await?;
            Ok(result)
        })
        .await
    }
}

/// Runs the work of a statement in its own task.
async fn spawned<T: Send + 'static>(
    work: impl Future<Output = Result<T, DbErr>> + Send + 'static,
) -> Result<T, DbErr> {
    if failpoints::disables("readers") {
        return work.await;
    }
    AbortOnDropHandle::new(tokio::spawn(work.in_current_span()))
        .await
        .map_err(|error| DbErr::Custom(format!("the task of a statement ended: {error}")))?
}

#[async_trait::async_trait]
impl ConnectionTrait for Reader {
    fn get_database_backend(&self) -> DbBackend {
        self.pool.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.run(|connection| async move { connection.execute_raw(statement).await }.boxed())
            .await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let sql = sql.to_owned();
        self.run(|connection| async move { connection.execute_unprepared(&sql).await }.boxed())
            .await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.run(|connection| async move { connection.query_one_raw(statement).await }.boxed())
            .await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.run(|connection| async move { connection.query_all_raw(statement).await }.boxed())
            .await
    }
}
