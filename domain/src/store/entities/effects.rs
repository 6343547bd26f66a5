//! Effects: the writes on the marketplace.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "effects")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub workspace_id: String,
    pub account_id: String,
    pub site: String,
    /// The publish job or the reply that the effect belongs to.
    pub subject_id: String,
    pub kind: crate::publishing::EffectKind,
    pub state: crate::publishing::EffectState,
    pub claim_epoch: i64,
    pub form_session_id: String,
    pub intent_time: i64,
    pub not_after: i64,
    pub reconcile_after: i64,
    pub settle_until: i64,
    pub known_remote_ids: String,
    pub target_remote_id: Option<String>,
    pub target_photo_ids: String,
    pub remote_id: Option<String>,
    pub note: Option<String>,
    pub decide_time: Option<i64>,
    pub watch_until: Option<i64>,
    /// The item to change, as it was read immediately before the intent.
    pub remote_snapshot: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
