//! The instance's database, looked at and changed behind its back.

use anyhow::Result;
use sea_orm::{
    ConnectionTrait as _, Database as Connect, DatabaseConnection, DbBackend, FromQueryResult as _,
    JsonValue, Statement,
};

/// A connection of the test's own.
pub struct Database(DatabaseConnection);

impl Database {
    /// Connects to what the instance works on.
    ///
    /// # Errors
    ///
    /// It cannot be reached.
    pub async fn open(url: &str) -> Result<Self> {
        Ok(Self(Connect::connect(url).await?))
    }

    /// Runs one statement.
    ///
    /// # Errors
    ///
    /// The statement is refused.
    pub async fn execute(&self, statement: &str) -> Result<()> {
        self.0.execute_unprepared(statement).await?;
        Ok(())
    }

    /// Every row of every table as text, each with its table's name.
    ///
    /// # Errors
    ///
    /// A table cannot be read.
    pub async fn dump(&self) -> Result<Vec<(String, String)>> {
        let tables = match self.0.get_database_backend() {
            DbBackend::Postgres => "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'",
            _ => "SELECT name FROM sqlite_master WHERE type = 'table'",
        };
        let mut rows = Vec::new();
        for table in self.rows(tables).await? {
            let name = table["name"].as_str().unwrap_or_default().to_owned();
            let found = self.rows(&format!("SELECT * FROM \"{name}\"")).await?;
            rows.extend(
                found
                    .into_iter()
                    .map(|row| (format!("table {name}"), row.to_string())),
            );
        }
        Ok(rows)
    }

    async fn rows(&self, query: &str) -> Result<Vec<JsonValue>> {
        let statement = Statement::from_string(self.0.get_database_backend(), query);
        Ok(JsonValue::find_by_statement(statement).all(&self.0).await?)
    }

    /// Disconnects.
    ///
    /// # Errors
    ///
    /// The connection was lost before.
    pub async fn close(self) -> Result<()> {
        Ok(self.0.close().await?)
    }
}
