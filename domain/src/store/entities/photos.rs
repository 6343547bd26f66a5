//! Processed photos.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "photos")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub workspace_id: String,
    pub sha256: String,
    pub perceptual_hash: i64,
    pub width: i64,
    pub height: i64,
    pub size_bytes: i64,
    pub content_type: String,
    pub file_name: String,
    pub near_duplicates: String,
    pub create_time: i64,
    pub sequence: i64,
    /// Whether a listing, a reply or a message ever used the photo.
    pub used: bool,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
