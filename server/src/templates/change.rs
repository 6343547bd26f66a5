//! `CreateTemplate`, `UpdateTemplate`, `DeleteTemplate`.

use tonic::{Request, Response};
use vintedbot_domain::inbox::{self, NewTemplate, UpdateTemplate};
use vintedbot_proto::v1;

use crate::auth;
use crate::convert::{Fields, saturating_i64, template};
use crate::errors::Problem;
use crate::state::ServerState;

pub async fn create(
    state: &ServerState,
    request: Request<v1::CreateTemplateRequest>,
) -> Result<Response<v1::CreateTemplateResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let new = NewTemplate {
        name: request.name,
        text: request.text,
        request_id: fields.optional_id("request_id", request.request_id),
    };
    let new = fields.done(new)?;
    let made = inbox::create_template(&state.context, &caller, new).await?;
    Ok(Response::new(v1::CreateTemplateResponse {
        template: Some(template::to_proto(made)),
    }))
}

pub async fn update(
    state: &ServerState,
    request: Request<v1::UpdateTemplateRequest>,
) -> Result<Response<v1::UpdateTemplateResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let update = read(request.into_inner())?;
    let changed = inbox::update_template(&state.context, &caller, update).await?;
    Ok(Response::new(v1::UpdateTemplateResponse {
        template: Some(template::to_proto(changed)),
    }))
}

fn read(request: v1::UpdateTemplateRequest) -> Result<UpdateTemplate, Problem> {
    let mut fields = Fields::default();
    let values = fields.required("template", request.template).unwrap_or_default();
    let update = UpdateTemplate {
        id: fields.id("id", request.id),
        name: values.name,
        text: values.text,
        mask: fields.mask("update_mask", request.update_mask),
        expected_sequence: request.expected_sequence.map(saturating_i64),
        request_id: fields.optional_id("request_id", request.request_id),
    };
    fields.done(update)
}

pub async fn delete(
    state: &ServerState,
    request: Request<v1::DeleteTemplateRequest>,
) -> Result<Response<v1::DeleteTemplateResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let id = fields.id("id", request.id);
    let request_id = fields.optional_id("request_id", request.request_id);
    let (id, request_id) = fields.done((id, request_id))?;
    inbox::delete_template(&state.context, &caller, &id, request_id).await?;
    Ok(Response::new(v1::DeleteTemplateResponse {}))
}
