//! Entries of conversations.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "messages")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub owner_id: String,
    pub account_id: String,
    pub thread_id: String,
    /// What tells the entry from the others of its thread: kind and id, or what stands in for one.
    pub remote_key: String,
    pub remote_id: Option<String>,
    pub kind: crate::inbox::MessageKind,
    pub author: crate::inbox::Author,
    pub text: String,
    /// JSON of what is more than words.
    pub content: Option<String>,
    /// JSON of [`crate::inbox::Attachment`]s.
    pub attachments: String,
    pub time: i64,
    pub position: i64,
    pub read: bool,
    pub hidden: bool,
    pub reply_id: Option<String>,
    /// 0: history, read with its thread.
    pub sequence: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
