//! `UpdateListing`, `DeleteListing`.

use tonic::{Request, Response};
use vintedbot_domain::listings::{self, Update};
use vintedbot_marketplace::limits::Limits;
use vintedbot_proto::v1;

use crate::auth;
use crate::convert::{Fields, listing, saturating_i64};
use crate::errors::Problem;
use crate::state::ServerState;

pub async fn update(
    state: &ServerState,
    request: Request<v1::UpdateListingRequest>,
) -> Result<Response<v1::UpdateListingResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let update = read(&state.context.limits, request.into_inner())?;
    let listing = listings::update(&state.context, &caller, update).await?;
    Ok(Response::new(v1::UpdateListingResponse {
        listing: Some(listing::to_proto(listing)),
    }))
}

fn read(limits: &Limits, request: v1::UpdateListingRequest) -> Result<Update, Problem> {
    let mut fields = Fields::default();
    let input = fields.required("listing", request.listing).unwrap_or_default();
    let update = Update {
        id: fields.id("id", request.id),
        listing: listing::input(&mut fields, limits, input),
        mask: fields.mask("update_mask", request.update_mask),
        expected_sequence: request.expected_sequence.map(saturating_i64),
        request_id: fields.optional_id("request_id", request.request_id),
    };
    fields.done(update)
}

pub async fn delete(
    state: &ServerState,
    request: Request<v1::DeleteListingRequest>,
) -> Result<Response<v1::DeleteListingResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let id = fields.id("id", request.id);
    let request_id = fields.optional_id("request_id", request.request_id);
    let (id, request_id) = fields.done((id, request_id))?;
    listings::delete(&state.context, &caller, &id, request_id).await?;
    Ok(Response::new(v1::DeleteListingResponse {}))
}
