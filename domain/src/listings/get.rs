//! `GetListing` and `ListListings`; each is one SELECT.

use sea_orm::sea_query::LikeExpr;
use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::Serialize;
use vintedbot_marketplace::text;

use super::{Listing, ListingState};
use crate::identity::Caller;
use crate::paging::{self, Order, Page, PageQuery, PageRequest, Position};
use crate::store::OfWorkspace;
use crate::store::entities::listings::{Column, Entity};
use crate::{Context, Error, Result, is_plain};

/// The maximum length of `title_contains`, in characters.
const TEXT_MAX: usize = 100;

/// The filter of `ListListings`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Filter {
    /// Empty: all accounts.
    pub account_id: String,
    /// Empty: all states.
    pub states: Vec<ListingState>,
    /// A part of the title; case is ignored. Empty: all titles.
    pub title_contains: String,
}

/// Returns a listing of the caller's workspace.
pub async fn get(context: &Context, caller: &Caller, id: &str) -> Result<Listing> {
    let row = Entity::find_by_id(id)
        .of_workspace(&caller.workspace_id)
        .one(context.store.reader())
        .await?;
    row.map(Listing::from)
        .ok_or_else(|| Error::not_found("listing", id))
}

/// Lists the caller's listings, newest first.
pub async fn list(
    context: &Context,
    caller: &Caller,
    filter: &Filter,
    page: &PageRequest,
) -> Result<Page<Listing>> {
    let filter = &Filter {
        title_contains: text::normalize_name(&filter.title_contains).into_owned(),
        ..filter.clone()
    };
    if text::length(&filter.title_contains) > TEXT_MAX || !is_plain(&filter.title_contains) {
        return Err(Error::invalid(
            "title_contains",
            format!("must have at most {TEXT_MAX} characters"),
        ));
    }
    let method = (caller.workspace_id.as_str(), "ListListings");
    let window = PageQuery::<Position>::open(&context.keys, paging::RESOURCES, method, filter, page)?;
    let mut query = Entity::find().of_workspace(&caller.workspace_id);
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
        .all(context.store.reader())
        .await?;
    window.close(
        &context.keys,
        rows.into_iter().map(Listing::from).collect(),
        |listing| (listing.create_time, listing.id.clone()),
    )
}

/// Returns a LIKE pattern for texts that contain `text`. LIKE wildcards in `text` are escaped.
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
