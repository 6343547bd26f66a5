//! `GetPhoto` and `ListPhotos`.

use std::collections::HashMap;

use sea_orm::sea_query::Query;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::Photo;
use crate::identity::Caller;
use crate::paging::{self, Order, Page, PageRequest, Place, Window};
use crate::store::entities::listing_photos;
use crate::store::entities::photos::{Column, Entity};
use crate::{Domain, Error, Result};

/// One photo of the caller.
pub async fn get(domain: &Domain, caller: &Caller, id: &str) -> Result<Photo> {
    let row = Entity::find_by_id(id)
        .filter(Column::OwnerId.eq(caller.owner_id.as_str()))
        .one(domain.store.reader())
        .await?;
    row.map(Photo::from).ok_or_else(|| Error::not_found("photo", id))
}

/// The caller's photos, newest first; only those of a listing where one is given.
pub async fn list(
    domain: &Domain,
    caller: &Caller,
    listing_id: Option<&str>,
    page: &PageRequest,
) -> Result<Page<Photo>> {
    let method = (caller.owner_id.as_str(), "ListPhotos");
    let window = Window::<Place>::open(&domain.keys, paging::RESOURCES, method, &listing_id, page)?;
    let mut query = Entity::find().filter(Column::OwnerId.eq(caller.owner_id.as_str()));
    if let Some(listing_id) = listing_id {
        let used = Query::select()
            .column(listing_photos::Column::PhotoId)
            .from(listing_photos::Entity)
            .and_where(listing_photos::Column::ListingId.eq(listing_id))
            .to_owned();
        query = query.filter(Column::Id.in_subquery(used));
    }
    if let Some(condition) = window.condition(Column::CreateTime, Column::Id, Order::NewestFirst) {
        query = query.filter(condition);
    }
    let rows = query
        .order_by_desc(Column::CreateTime)
        .order_by_desc(Column::Id)
        .limit(window.to_read())
        .all(domain.store.reader())
        .await?;
    window.close(
        &domain.keys,
        rows.into_iter().map(Photo::from).collect(),
        |photo| (photo.create_time, photo.id.clone()),
    )
}

/// The owner's photos with these ids, in this order. Those that are not there are left out.
pub async fn by_ids(connection: &impl ConnectionTrait, owner_id: &str, ids: &[String]) -> Result<Vec<Photo>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = Entity::find()
        .filter(Column::OwnerId.eq(owner_id))
        .filter(Column::Id.is_in(ids.iter().map(String::as_str)))
        .all(connection)
        .await?;
    let found: HashMap<_, _> = rows
        .into_iter()
        .map(|row| (row.id.clone(), Photo::from(row)))
        .collect();
    Ok(ids.iter().filter_map(|id| found.get(id).cloned()).collect())
}
