//! `AcceptRemoteChanges`.

use tonic::{Request, Response};
use vintedbot_domain::wardrobe::{self, Accept};
use vintedbot_proto::v1;

use crate::auth;
use crate::convert::{Fields, listing};
use crate::errors::Problem;
use crate::state::ServerState;

pub async fn accept(
    state: &ServerState,
    request: Request<v1::AcceptRemoteChangesRequest>,
) -> Result<Response<v1::AcceptRemoteChangesResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let accept = Accept {
        listing_id: fields.id("listing_id", request.listing_id),
        request_id: fields.optional_id("request_id", request.request_id),
    };
    let accepted = wardrobe::accept(&state.context, &caller, fields.done(accept)?).await?;
    Ok(Response::new(v1::AcceptRemoteChangesResponse {
        listing: Some(listing::to_proto(accepted)),
    }))
}
