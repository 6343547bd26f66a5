//! Publish jobs, with their immutable revisions.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "publish_jobs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub workspace_id: String,
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
    pub requires_action: bool,
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
    /// Whether the job ends in a manual takeover instead of waiting for a confirmation.
    pub manual_takeover: bool,
    /// The changes of an edit, as read when it was prepared.
    pub changes: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
