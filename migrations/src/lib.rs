//! The versioned schema: one set of migrations for SQLite and PostgreSQL.
//!
//! Statements are written in the part of SQL that both engines share: text, `BIGINT` for numbers and for times (UTC
//! milliseconds), `BOOLEAN`. Enums are text. To add one: a module `mYYYYMMDD_what`, listed in [`Migrator`]; expand first,
//! contract in a later release, and raise [`OLDEST_PROGRAM`] only when an older program can no longer run on the result.

use sea_orm_migration::prelude::*;

mod m20261121_spine;

/// The oldest program version that may run on the newest schema.
pub const OLDEST_PROGRAM: &str = "0.1.0";

/// Runs the migrations in order, each once.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m20261121_spine::Migration)]
    }
}

/// Splits a script into its statements and runs them one by one, since drivers prepare one at a time.
async fn run_script(manager: &SchemaManager<'_>, script: &str) -> Result<(), DbErr> {
    for statement in script.split(";\n").map(str::trim).filter(|statement| !statement.is_empty()) {
        manager.get_connection().execute_unprepared(statement).await?;
    }
    Ok(())
}
