//! The roles of people in a workspace.

use sea_orm::{DeriveActiveEnum, EnumIter};
use serde::{Deserialize, Serialize};

use super::{Scope, Scopes};

/// The role of a person. Each role may do everything that the roles before it may do.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    EnumIter,
    DeriveActiveEnum,
    Serialize,
    Deserialize,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Role {
    /// Has the scopes that end with `:read`.
    Viewer,
    /// Has all scopes except `auth:manage` and `webhooks:write`.
    Member,
    /// Has every scope, and manages people.
    Owner,
}

/// The scopes that only owners have. API tokens and webhook endpoints give access outside of a session.
const OWNERS: [Scope; 2] = [Scope::AuthManage, Scope::WebhooksWrite];

impl Role {
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Member, Self::Owner];

    /// Returns the scopes that a person with this role has.
    pub fn scopes(self) -> Scopes {
        let allows = |scope: &Scope| match self {
            Self::Owner => true,
            Self::Member => !OWNERS.contains(scope),
            Self::Viewer => scope.name().ends_with(":read"),
        };
        Scope::ALL.into_iter().filter(allows).collect()
    }

    /// Returns the name in the contract, without its prefix.
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "VIEWER",
            Self::Member => "MEMBER",
            Self::Owner => "OWNER",
        }
    }

    /// Finds a role by its name, in either case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|role| role.name().eq_ignore_ascii_case(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn higher_roles_have_all_scopes_of_lower_roles() {
        for pair in Role::ALL.windows(2) {
            let (low, high) = (pair[0], pair[1]);
            assert!(low < high);
            assert!(low.scopes().iter().all(|scope| high.scopes().contains(scope)));
        }
        assert_eq!(Role::Owner.scopes(), Scopes::all());
    }
}
