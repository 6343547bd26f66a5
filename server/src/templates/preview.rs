//! `PreviewTemplate`.

use tonic::{Request, Response};
use vintedbot_domain::inbox::{self, Preview, Source};
use vintedbot_proto::v1;
use vintedbot_proto::v1::preview_template_request::Source as ProtoSource;

use crate::auth;
use crate::convert::Fields;
use crate::errors::Problem;
use crate::state::ServerState;

pub async fn preview(
    state: &ServerState,
    request: Request<v1::PreviewTemplateRequest>,
) -> Result<Response<v1::PreviewTemplateResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let thread_id = fields.id("thread_id", request.thread_id);
    let source = fields.required("source", request.source);
    let source = source.map(|source| match source {
        ProtoSource::TemplateId(id) => Source::Template(fields.id("template_id", id)),
        ProtoSource::Text(text) => Source::Text(text),
    });
    let preview = fields.done_with(source.map(|source| Preview { source, thread_id }))?;
    let filled = inbox::preview(&state.context, &caller, preview).await?;
    Ok(Response::new(v1::PreviewTemplateResponse {
        text: filled.text,
        unfilled_variables: filled.unfilled,
    }))
}
