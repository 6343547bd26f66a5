//! `MarkThreads`, `ArchiveThreads`, `LabelThreads`.

use tonic::{Request, Response};
use vintedbot_domain::inbox::{self, Archive, Label, Mark};
use vintedbot_proto::v1;

use crate::auth;
use crate::convert::{CHOICES_MAX, Fields, inbox as convert};
use crate::errors::Problem;
use crate::state::ServerState;

pub async fn mark(
    state: &ServerState,
    request: Request<v1::MarkThreadsRequest>,
) -> Result<Response<v1::MarkThreadsResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let mark = Mark {
        ids: fields.ids("ids", inbox::BULK_MAX, request.ids),
        unread: request.unread,
        request_id: fields.optional_id("request_id", request.request_id),
    };
    let mark = fields.done(mark)?;
    let threads = inbox::mark(&state.context, &caller, mark).await?;
    Ok(Response::new(v1::MarkThreadsResponse {
        threads: threads.into_iter().map(convert::thread).collect(),
    }))
}

pub async fn archive(
    state: &ServerState,
    request: Request<v1::ArchiveThreadsRequest>,
) -> Result<Response<v1::ArchiveThreadsResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let archive = Archive {
        ids: fields.ids("ids", inbox::BULK_MAX, request.ids),
        unarchive: request.unarchive,
        request_id: fields.optional_id("request_id", request.request_id),
    };
    let archive = fields.done(archive)?;
    let threads = inbox::archive(&state.context, &caller, archive).await?;
    Ok(Response::new(v1::ArchiveThreadsResponse {
        threads: threads.into_iter().map(convert::thread).collect(),
    }))
}

pub async fn label(
    state: &ServerState,
    request: Request<v1::LabelThreadsRequest>,
) -> Result<Response<v1::LabelThreadsResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let label = Label {
        ids: fields.ids("ids", inbox::BULK_MAX, request.ids),
        add: fields.list("add", inbox::LABELS_MAX, request.add),
        remove: fields.list("remove", CHOICES_MAX, request.remove),
        request_id: fields.optional_id("request_id", request.request_id),
    };
    let label = fields.done(label)?;
    let threads = inbox::label(&state.context, &caller, label).await?;
    Ok(Response::new(v1::LabelThreadsResponse {
        threads: threads.into_iter().map(convert::thread).collect(),
    }))
}
