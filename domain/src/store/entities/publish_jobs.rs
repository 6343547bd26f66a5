//! Publish jobs: an immutable revision and what became of it.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "publish_jobs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub owner_id: String,
    pub account_id: String,
    pub listing_id: String,
    pub site: String,
    pub state: crate::publishing::State,
    pub dry_run: bool,
    pub prepare_number: i64,
    pub revision: String,
    pub revision_hash: String,
    pub listing_hash: String,
    pub read_back: Option<String>,
    pub read_back_hash: Option<String>,
    pub screenshot_key: Option<String>,
    pub needs_manual: bool,
    pub reason: Option<String>,
    pub message: Option<String>,
    pub wait_reason: Option<String>,
    pub wait_until: Option<i64>,
    pub confirm_expire_time: Option<i64>,
    pub confirm_time: Option<i64>,
    pub cancel_requested: bool,
    pub draft_remote_id: Option<String>,
    pub remote_item_id: Option<String>,
    pub remote_url: Option<String>,
    pub hidden: bool,
    pub possible_duplicate: bool,
    pub stray_drafts: String,
    pub prepare_attempts: i64,
    pub publish_attempts: i64,
    pub create_time: i64,
    pub update_time: i64,
    pub end_time: Option<i64>,
    pub sequence: i64,
    pub kind: crate::publishing::JobKind,
    pub schedule_time: Option<i64>,
    /// Whether the filled window goes to the person instead of waiting for a confirmation.
    pub hand_over: bool,
    /// What an edit changes, as read when it was prepared.
    pub changes: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
