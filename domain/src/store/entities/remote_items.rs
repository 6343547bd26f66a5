//! The links between listings and items on the site. An item belongs to at most one listing.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "remote_items")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub remote_item_id: String,
    pub site: String,
    pub publish_job_id: String,
    pub listing_id: String,
    pub claim_time: i64,
    /// The member who owns the item on the site. `None`: not known.
    pub member_id: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
