//! `ListTemplates`, `GetTemplate`.

use tonic::{Request, Response};
use vintedbot_domain::inbox;
use vintedbot_domain::paging::PageRequest;
use vintedbot_proto::v1;

use crate::auth;
use crate::convert::{Fields, template};
use crate::errors::Problem;
use crate::state::ServerState;

pub async fn list(
    state: &ServerState,
    request: Request<v1::ListTemplatesRequest>,
) -> Result<Response<v1::ListTemplatesResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let page = PageRequest {
        size: request.page_size,
        token: request.page_token,
    };
    let page = inbox::list_templates(&state.context, &caller, &page).await?;
    Ok(Response::new(v1::ListTemplatesResponse {
        templates: page.items.into_iter().map(template::to_proto).collect(),
        next_page_token: page.next_page_token,
    }))
}

pub async fn get(
    state: &ServerState,
    request: Request<v1::GetTemplateRequest>,
) -> Result<Response<v1::GetTemplateResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let mut fields = Fields::default();
    let id = fields.id("id", request.into_inner().id);
    let id = fields.done(id)?;
    let found = inbox::get_template(&state.context, &caller, &id).await?;
    Ok(Response::new(v1::GetTemplateResponse {
        template: Some(template::to_proto(found)),
    }))
}
