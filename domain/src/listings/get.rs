//! `GetListing` and `ListListings`, each one select.

use sea_orm::sea_query::LikeExpr;
use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::Serialize;

use super::{Listing, ListingState};
use crate::identity::Caller;
use crate::paging::{self, Order, Page, PageRequest, Place, Window};
use crate::store::entities::listings::{Column, Entity};
use crate::{Domain, Error, Result, is_plain};

/// The longest text to look for in titles, in characters.
const TEXT_MAX: usize = 100;

/// Which listings to list.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Filter {
    /// Empty: of all accounts.
    pub account_id: String,
    /// Empty: in any state.
    pub states: Vec<ListingState>,
    /// Case does not count. Empty: any title.
    pub title_contains: String,
}

/// One listing of the caller.
pub async fn get(domain: &Domain, caller: &Caller, id: &str) -> Result<Listing> {
    let row = Entity::find_by_id(id)
        .filter(Column::OwnerId.eq(caller.owner_id.as_str()))
        .one(domain.store.reader())
        .await?;
    row.map(Listing::from)
        .ok_or_else(|| Error::not_found("listing", id))
}

/// The caller's listings, newest first.
pub async fn list(
    domain: &Domain,
    caller: &Caller,
    filter: &Filter,
    page: &PageRequest,
) -> Result<Page<Listing>> {
    if filter.title_contains.chars().count() > TEXT_MAX || !is_plain(&filter.title_contains) {
        return Err(Error::invalid(
            "title_contains",
            format!("must have at most {TEXT_MAX} characters"),
        ));
    }
    let method = (caller.owner_id.as_str(), "ListListings");
    let window = Window::<Place>::open(&domain.keys, paging::RESOURCES, method, filter, page)?;
    let mut query = Entity::find().filter(Column::OwnerId.eq(caller.owner_id.as_str()));
    if !filter.account_id.is_empty() {
        query = query.filter(Column::AccountId.eq(filter.account_id.as_str()));
    }
    if !filter.states.is_empty() {
        query = query.filter(Column::State.is_in(filter.states.iter().copied()));
    }
    if !filter.title_contains.is_empty() {
        query = query.filter(
            Column::TitleLower
                .into_expr()
                .like(containing(&filter.title_contains.to_lowercase())),
        );
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
        rows.into_iter().map(Listing::from).collect(),
        |listing| (listing.create_time, listing.id.clone()),
    )
}

/// A pattern for any text that holds this one, whatever characters it is made of.
fn containing(text: &str) -> LikeExpr {
    let mut pattern = String::from("%");
    for c in text.chars() {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    LikeExpr::new(pattern).escape('!')
}
