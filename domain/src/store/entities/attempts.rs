//! Counters of attempts, for example to sign in, within a window of time.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "attempts")]
pub struct Model {
    /// The kind of attempt and the hash of the subject, such as an address.
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject: String,
    pub count: i64,
    /// The time at which the counter starts again.
    pub window_end: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
