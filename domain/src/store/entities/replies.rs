//! Replies, from request to outcome.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "replies")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub workspace_id: String,
    pub account_id: String,
    pub thread_id: String,
    pub site: String,
    pub state: crate::inbox::ReplyState,
    pub text: String,
    pub photo_ids: String,
    pub content_hash: String,
    /// The order of the reply in its thread.
    pub number: i64,
    pub manual: bool,
    pub prepare_number: i64,
    pub send_time: Option<i64>,
    pub confirm_expire_time: Option<i64>,
    pub confirm_time: Option<i64>,
    pub requires_action: bool,
    pub reason: Option<String>,
    pub message: Option<String>,
    pub attempts: i64,
    pub message_id: Option<String>,
    pub create_time: i64,
    pub update_time: i64,
    pub end_time: Option<i64>,
    pub sequence: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
