//! `PreviewListing`.

use tonic::{Request, Response};
use vintedbot_domain::listings;
use vintedbot_proto::v1;

use crate::convert::{Fields, listing};
use crate::errors::Problem;
use crate::signed::Signer;
use crate::state::ServerState;
use crate::{auth, calls};

pub async fn preview(
    state: &ServerState,
    request: Request<v1::PreviewListingRequest>,
) -> Result<Response<v1::PreviewListingResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let call = calls::call(&request);
    let mut fields = Fields::default();
    let id = fields.id("id", request.into_inner().id);
    let id = fields.done(id)?;
    let preview = listings::preview(&state.context, &caller, &id).await?;
    Ok(Response::new(listing::preview(
        &Signer::new(&state.context, &call),
        preview,
    )))
}
