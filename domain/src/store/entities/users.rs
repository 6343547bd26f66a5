//! People who can sign in. Only a hash of the password is stored.

use sea_orm::entity::prelude::*;

use crate::identity::Role;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub workspace_id: String,
    /// In lower case.
    pub email: String,
    pub display_name: String,
    pub role: Role,
    /// A PHC string.
    pub password_hash: String,
    pub create_time: i64,
    pub disable_time: Option<i64>,
    pub sealed_second_factor: Option<String>,
    /// Whether the secret was confirmed with a code.
    pub second_factor_enabled: bool,
    /// The step of the last accepted code. A code of this step or of an earlier one is refused.
    pub second_factor_step: i64,
    /// JSON list of the hashes of unused recovery codes.
    pub recovery_hashes: String,
    pub sequence: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
