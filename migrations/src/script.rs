//! Migrations as SQL scripts.
//!
//! A script and the record of its name are written in one transaction, on both engines. A program that is killed during
//! a migration leaves the database unchanged.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

/// One migration.
pub struct Script {
    pub name: &'static str,
    pub sql: &'static str,
    /// Statements for PostgreSQL only, run after `sql`.
    pub of_postgres: &'static str,
    /// Statements for SQLite only, run after `sql`.
    pub of_sqlite: &'static str,
}

/// Builds a [`Script`] from the file with this name.
macro_rules! script {
    ($name:literal) => {
        Script {
            name: $name,
            sql: include_str!(concat!($name, ".sql")),
            of_postgres: "",
            of_sqlite: "",
        }
    };
}
pub(crate) use script;

impl MigrationName for Script {
    fn name(&self) -> &str {
        self.name
    }
}

#[expect(
    elided_lifetimes_in_paths,
    reason = "async_trait requires the late-bound lifetime of the trait"
)]
#[async_trait::async_trait]
impl MigrationTrait for Script {
    /// Runs the script statement by statement, because drivers prepare one statement at a time.
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let own = match manager.get_database_backend() {
            DbBackend::Postgres => self.of_postgres,
            _ => self.of_sqlite,
        };
        let statements = [self.sql, own].into_iter().flat_map(|script| script.split(";\n"));
        for statement in statements
            .map(str::trim)
            .filter(|statement| !statement.is_empty())
        {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
