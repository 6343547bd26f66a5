//! `ImportWardrobe`, `GetWardrobeImport`.

use tonic::{Request, Response};
use vintedbot_domain::wardrobe::{self, ImportWardrobe};
use vintedbot_proto::v1;

use crate::auth;
use crate::convert::{Fields, wardrobe as convert};
use crate::errors::Problem;
use crate::state::ServerState;

pub async fn import(
    state: &ServerState,
    request: Request<v1::ImportWardrobeRequest>,
) -> Result<Response<v1::ImportWardrobeResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let import = ImportWardrobe {
        account_id: fields.id("account_id", request.account_id),
        request_id: fields.optional_id("request_id", request.request_id),
    };
    let import = wardrobe::import(&state.context, &caller, fields.done(import)?).await?;
    Ok(Response::new(v1::ImportWardrobeResponse {
        wardrobe_import: Some(convert::to_proto(import)),
    }))
}

pub async fn get(
    state: &ServerState,
    request: Request<v1::GetWardrobeImportRequest>,
) -> Result<Response<v1::GetWardrobeImportResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let mut fields = Fields::default();
    let id = fields.id("id", request.into_inner().id);
    let import = wardrobe::get(&state.context, &caller, &fields.done(id)?).await?;
    Ok(Response::new(v1::GetWardrobeImportResponse {
        wardrobe_import: Some(convert::to_proto(import)),
    }))
}
