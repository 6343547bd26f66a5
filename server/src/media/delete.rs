//! `DeletePhoto`.

use tonic::{Request, Response};
use vintedbot_domain::media;
use vintedbot_proto::v1;

use crate::auth;
use crate::convert::Fields;
use crate::errors::Problem;
use crate::state::ServerState;

pub async fn delete(
    state: &ServerState,
    request: Request<v1::DeletePhotoRequest>,
) -> Result<Response<v1::DeletePhotoResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let id = fields.id("id", request.id);
    let request_id = fields.optional_id("request_id", request.request_id);
    let (id, request_id) = fields.done((id, request_id))?;
    media::delete(&state.context, &caller, &id, request_id).await?;
    Ok(Response::new(v1::DeletePhotoResponse {}))
}
