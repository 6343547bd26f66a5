//! Direct access to the instance's database.

use anyhow::Result;
use sea_orm::{
    ConnectionTrait as _, Database as Connect, DatabaseConnection, DbBackend, FromQueryResult as _,
    JsonValue, Statement,
};

/// A separate connection of the test.
pub struct Database(DatabaseConnection);

impl Database {
    /// Connects to the database of the instance.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be reached.
    pub async fn open(url: &str) -> Result<Self> {
        Ok(Self(Connect::connect(url).await?))
    }

    /// Runs one statement.
    ///
    /// # Errors
    ///
    /// Fails if the statement is refused.
    pub async fn execute(&self, statement: &str) -> Result<()> {
        self.0.execute_unprepared(statement).await?;
        Ok(())
    }

    /// Returns every row of every table as text, with the name of its table.
    ///
    /// # Errors
    ///
    /// Fails if a table cannot be read.
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
    /// Fails if the connection was lost before.
    pub async fn close(self) -> Result<()> {
        Ok(self.0.close().await?)
    }
}
