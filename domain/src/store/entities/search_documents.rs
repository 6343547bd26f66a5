//! Documents of the search index. Each engine stores their words in its own way: see `search::index`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "search_documents")]
pub struct Model {
    /// The time of the document, with a number that distinguishes documents of the same time.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    pub space: i64,
    pub kind: crate::search::Kind,
    pub entity_id: String,
    pub thread_id: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
