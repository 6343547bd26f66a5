//! Listings.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "listings")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub workspace_id: String,
    pub account_id: String,
    pub title: String,
    /// The title in lower case, for case-insensitive search.
    pub title_lower: String,
    pub description: String,
    pub price_minor_units: Option<i64>,
    pub currency: String,
    pub category_id: Option<i64>,
    pub brand_id: Option<i64>,
    pub size_id: Option<i64>,
    pub condition_id: Option<i64>,
    pub color_ids: String,
    pub material_ids: String,
    pub package_size_id: Option<i64>,
    /// The names of the catalogue entries above, at the time when they were chosen.
    pub choice_names: String,
    pub photo_ids: String,
    pub state: crate::listings::ListingState,
    pub active_publish_job_id: Option<String>,
    pub hidden: bool,
    pub under_review: bool,
    pub remote_item_id: Option<String>,
    pub remote_url: Option<String>,
    pub remote_site: Option<String>,
    pub publish_time: Option<i64>,
    pub create_time: i64,
    pub update_time: i64,
    pub sequence: i64,
    /// The item as it was last read on the site.
    pub remote_snapshot: Option<String>,
    pub remote_differences: String,
    pub remote_read_time: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
