//! Mailed tokens that verify an address or reset a password. Only their hashes are stored.

use sea_orm::entity::prelude::*;

use crate::identity::mail_tokens::Purpose;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "mail_tokens")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub hash: String,
    pub purpose: Purpose,
    /// The person. Absent for a registration.
    pub user_id: Option<String>,
    pub email: String,
    /// The JSON of a registration, else empty.
    pub payload: String,
    pub expire_time: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
