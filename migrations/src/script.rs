//! A migration as scripts of SQL, made whole or not at all, with its name, on either engine: a program that is killed in the
//! middle of one leaves the database as it was.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

/// One version of the schema after the one before.
pub struct Script {
    pub name: &'static str,
    pub sql: &'static str,
    /// What each engine has in a way of its own, after that.
    pub of_postgres: &'static str,
    pub of_sqlite: &'static str,
}

/// The script in the file of that name.
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
    reason = "async_trait needs the lifetime as the trait has it: late-bound"
)]
#[async_trait::async_trait]
impl MigrationTrait for Script {
    /// Statement by statement, since drivers prepare one at a time.
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
