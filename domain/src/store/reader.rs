//! The connections for reads outside of a transaction.

use std::future::Future;

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, Statement};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

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
pub struct Reader(DatabaseConnection);

impl From<DatabaseConnection> for Reader {
    fn from(pool: DatabaseConnection) -> Self {
        Self(pool)
    }
}

impl Reader {
    /// Checks that the database answers.
    ///
    /// # Errors
    /// The database fails, or no connection becomes free within the pool's time limit.
    pub async fn ping(&self) -> Result<(), DbErr> {
        self.run(|pool| async move { pool.ping().await }).await
    }

    /// Closes all connections of the pool.
    ///
    /// # Errors
    /// The database fails.
    pub async fn close(self) -> Result<(), DbErr> {
        self.0.close().await
    }

    pub(super) fn pool(&self) -> &DatabaseConnection {
        &self.0
    }

    async fn run<T, F>(&self, statement: impl FnOnce(DatabaseConnection) -> F + Send) -> Result<T, DbErr>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, DbErr>> + Send + 'static,
    {
        if failpoints::disables("readers") {
            return statement(self.0.clone()).await;
        }
        let task = tokio::spawn(statement(self.0.clone()).in_current_span());
        AbortOnDropHandle::new(task)
            .await
            .map_err(|error| DbErr::Custom(format!("the task of a statement ended: {error}")))?
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for Reader {
    fn get_database_backend(&self) -> DbBackend {
        self.0.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.run(|pool| async move { pool.execute_raw(statement).await })
            .await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let sql = sql.to_owned();
        self.run(|pool| async move { pool.execute_unprepared(&sql).await })
            .await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.run(|pool| async move { pool.query_one_raw(statement).await })
            .await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.run(|pool| async move { pool.query_all_raw(statement).await })
            .await
    }
}
