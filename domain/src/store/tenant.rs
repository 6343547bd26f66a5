//! The scope of a workspace. Only this file compares the workspace of a row, except SQL text, which names the column
//! itself.
//!
//! A lookup by the id of a caller is always `Entity::find_by_id(id).of_workspace(workspace_id)`, so the id of another
//! workspace is an unknown id. Every entity with a column `workspace_id` is a [`Tenant`].

use sea_orm::{ColumnTrait, DeleteMany, EntityTrait, QueryFilter, Select, UpdateMany};

use super::entities;
use crate::failpoints;

/// An entity whose rows belong to a workspace.
pub trait Tenant: EntityTrait {
    /// Returns the column with the id of the workspace.
    fn workspace_column() -> Self::Column;
}

/// Implements [`Tenant`] for the entities of these tables.
macro_rules! tenants {
    ($($table:ident),+ $(,)?) => {
        $(
            impl Tenant for entities::$table::Entity {
                fn workspace_column() -> entities::$table::Column {
                    entities::$table::Column::WorkspaceId
                }
            }
        )+
    };
}

tenants!(
    accounts,
    api_tokens,
    effects,
    event_heads,
    events,
    invitations,
    jobs,
    listings,
    messages,
    people,
    photos,
    publish_jobs,
    replies,
    requests,
    search_indexes,
    sessions,
    templates,
    thread_labels,
    threads,
    user_sessions,
    users,
    wardrobe_imports,
    webhook_deliveries,
    webhook_endpoints,
);

/// A query of the rows of a [`Tenant`].
pub trait OfWorkspace: QueryFilter {
    /// Excludes the rows of other workspaces.
    #[must_use]
    fn of_workspace(self, workspace_id: &str) -> Self;
}

impl<E: Tenant> OfWorkspace for Select<E> {
    fn of_workspace(self, workspace_id: &str) -> Self {
        scoped::<E, _>(self, workspace_id)
    }
}

impl<E: Tenant> OfWorkspace for UpdateMany<E> {
    fn of_workspace(self, workspace_id: &str) -> Self {
        scoped::<E, _>(self, workspace_id)
    }
}

impl<E: Tenant> OfWorkspace for DeleteMany<E> {
    fn of_workspace(self, workspace_id: &str) -> Self {
        scoped::<E, _>(self, workspace_id)
    }
}

fn scoped<E: Tenant, Q: QueryFilter>(query: Q, workspace_id: &str) -> Q {
    if failpoints::disables("tenant") {
        return query;
    }
    query.filter(E::workspace_column().eq(workspace_id))
}
