//! `GetPhoto` and `ListPhotos`.

use std::collections::HashMap;

use sea_orm::sea_query::Query;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::Photo;
use crate::identity::Caller;
use crate::paging::{self, Order, Page, PageQuery, PageRequest, Position};
use crate::store::OfWorkspace;
use crate::store::entities::listing_photos;
use crate::store::entities::photos::{Column, Entity};
use crate::{Context, Error, Result};

/// Returns a photo of the caller's workspace.
///
/// # Errors
/// NOT_FOUND.
pub async fn get(context: &Context, caller: &Caller, id: &str) -> Result<Photo> {
    let row = Entity::find_by_id(id)
        .of_workspace(&caller.workspace_id)
        .one(context.store.reader())
        .await?;
    row.map(Photo::from).ok_or_else(|| Error::not_found("photo", id))
}

/// Lists the photos of the caller's workspace, newest first. `listing_id` restricts the list to the photos of a
/// listing.
pub async fn list(
    context: &Context,
    caller: &Caller,
    listing_id: Option<&str>,
    page: &PageRequest,
) -> Result<Page<Photo>> {
    let method = (caller.workspace_id.as_str(), "ListPhotos");
    let query_page =
        PageQuery::<Position>::open(&context.keys, paging::RESOURCES, method, &listing_id, page)?;
    let mut query = Entity::find().of_workspace(&caller.workspace_id);
    if let Some(listing_id) = listing_id {
        let used = Query::select()
            .column(listing_photos::Column::PhotoId)
            .from(listing_photos::Entity)
            .and_where(listing_photos::Column::ListingId.eq(listing_id))
            .to_owned();
        query = query.filter(Column::Id.in_subquery(used));
    }
    if let Some(condition) = query_page.condition(Column::CreateTime, Column::Id, Order::NewestFirst) {
        query = query.filter(condition);
    }
    let rows = query
        .order_by_desc(Column::CreateTime)
        .order_by_desc(Column::Id)
        .limit(query_page.to_read())
        .all(context.store.reader())
        .await?;
    query_page.close(
        &context.keys,
        rows.into_iter().map(Photo::from).collect(),
        |photo| (photo.create_time, photo.id.clone()),
    )
}

/// Returns the workspace's photos with these ids, in this order. Unknown ids are skipped.
pub async fn by_ids(
    connection: &impl ConnectionTrait,
    workspace_id: &str,
    ids: &[String],
) -> Result<Vec<Photo>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = Entity::find()
        .of_workspace(workspace_id)
        .filter(Column::Id.is_in(ids.iter().map(String::as_str)))
        .all(connection)
        .await?;
    let found: HashMap<_, _> = rows
        .into_iter()
        .map(|row| (row.id.clone(), Photo::from(row)))
        .collect();
    Ok(ids.iter().filter_map(|id| found.get(id).cloned()).collect())
}
