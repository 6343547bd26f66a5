//! The search index: documents, each owner's state, and the words, in the way of each engine.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[expect(
    elided_lifetimes_in_paths,
    reason = "async_trait needs the lifetime as the trait has it: late-bound"
)]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run_script(manager, include_str!("m20261127_search.sql")).await?;
        let words = match manager.get_database_backend() {
            DbBackend::Postgres => include_str!("m20261127_search_postgres.sql"),
            _ => include_str!("m20261127_search_sqlite.sql"),
        };
        crate::run_script(manager, words).await
    }
}
