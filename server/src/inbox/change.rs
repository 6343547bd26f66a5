//! `SnoozeThread`, `SetThreadNote`, `DeleteThread`, `SaveDraft`.

use tonic::{Request, Response};
use vintedbot_domain::inbox::{self, Note, SaveDraft, Snooze};
use vintedbot_proto::v1;

use crate::auth;
use crate::convert::{Fields, inbox as convert};
use crate::errors::Problem;
use crate::state::ServerState;

pub async fn snooze(
    state: &ServerState,
    request: Request<v1::SnoozeThreadRequest>,
) -> Result<Response<v1::SnoozeThreadResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let snooze = Snooze {
        id: fields.id("id", request.id),
        until: fields.time("snooze_time", request.snooze_time),
        request_id: fields.optional_id("request_id", request.request_id),
    };
    let snooze = fields.done(snooze)?;
    let thread = inbox::snooze(&state.context, &caller, snooze).await?;
    Ok(Response::new(v1::SnoozeThreadResponse {
        thread: Some(convert::thread(thread)),
    }))
}

pub async fn set_note(
    state: &ServerState,
    request: Request<v1::SetThreadNoteRequest>,
) -> Result<Response<v1::SetThreadNoteResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let note = Note {
        id: fields.id("id", request.id),
        note: request.note,
        request_id: fields.optional_id("request_id", request.request_id),
    };
    let note = fields.done(note)?;
    let thread = inbox::set_note(&state.context, &caller, note).await?;
    Ok(Response::new(v1::SetThreadNoteResponse {
        thread: Some(convert::thread(thread)),
    }))
}

pub async fn delete(
    state: &ServerState,
    request: Request<v1::DeleteThreadRequest>,
) -> Result<Response<v1::DeleteThreadResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let id = fields.id("id", request.id);
    let request_id = fields.optional_id("request_id", request.request_id);
    let (id, request_id) = fields.done((id, request_id))?;
    inbox::delete(&state.context, &caller, &id, request_id).await?;
    Ok(Response::new(v1::DeleteThreadResponse {}))
}

pub async fn save_draft(
    state: &ServerState,
    request: Request<v1::SaveDraftRequest>,
) -> Result<Response<v1::SaveDraftResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let thread_id = fields.id("thread_id", request.thread_id);
    let expected_version = fields.required("expected_version", request.expected_version);
    let save = fields.done_with(expected_version.map(|expected_version| SaveDraft {
        thread_id,
        text: request.text,
        expected_version,
    }))?;
    let draft = inbox::save_draft(&state.context, &caller, save).await?;
    Ok(Response::new(v1::SaveDraftResponse {
        draft: Some(convert::draft(draft)),
    }))
}
