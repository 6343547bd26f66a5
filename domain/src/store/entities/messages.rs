//! Messages and other entries of threads.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "messages")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub workspace_id: String,
    pub account_id: String,
    pub thread_id: String,
    /// The key of the entry within its thread: kind and remote id, or a substitute for the id.
    pub remote_key: String,
    pub remote_id: Option<String>,
    pub kind: crate::inbox::MessageKind,
    pub author: crate::inbox::Author,
    pub text: String,
    /// JSON of the structured content, if the entry is more than text.
    pub content: Option<String>,
    /// JSON of [`crate::inbox::Attachment`]s.
    pub attachments: String,
    pub time: i64,
    pub position: i64,
    pub read: bool,
    pub hidden: bool,
    pub reply_id: Option<String>,
    /// The sequence of the last event. 0: the entry is history that was read with its thread, without an event.
    pub sequence: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
