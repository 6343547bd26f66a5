//! `SendReply`, `ConfirmReply`, `CancelReply`, `RetryReply`, `ResolveReply`, `GetReply`, `ListReplies`.

use tonic::{Request, Response};
use vintedbot_domain::identity::{Caller, Scope};
use vintedbot_domain::inbox::Reply;
use vintedbot_domain::inbox::ReplyState;
use vintedbot_domain::inbox::replies::{self, Confirm, Filter, Resolution, Send};
use vintedbot_domain::paging::PageRequest;
use vintedbot_proto::v1;
use vintedbot_proto::v1::resolve_reply_request::Outcome;

use crate::auth;
use crate::convert::{Fields, inbox as convert, timestamp};
use crate::errors::Problem;
use crate::state::ServerState;

pub async fn send(
    state: &ServerState,
    request: Request<v1::SendReplyRequest>,
) -> Result<Response<v1::SendReplyResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let send = Send {
        thread_id: fields.id("thread_id", request.thread_id),
        text: request.text,
        photo_ids: fields.ids("photo_ids", replies::PHOTOS_MAX, request.photo_ids),
        manual: request.manual,
        clear_draft: request.clear_draft,
        request_id: fields.optional_id("request_id", request.request_id),
    };
    let reply = replies::send(&state.context, &caller, fields.done(send)?).await?;
    let reply = with_confirmation(state, &caller, reply).await?;
    Ok(Response::new(v1::SendReplyResponse { reply: Some(reply) }))
}

pub async fn confirm(
    state: &ServerState,
    request: Request<v1::ConfirmReplyRequest>,
) -> Result<Response<v1::ConfirmReplyResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let confirm = Confirm {
        id: fields.id("id", request.id),
        token: request
            .confirmation
            .map(|confirmation| confirmation.confirm_token)
            .unwrap_or_default(),
        dry_run: request.dry_run.unwrap_or(true),
        request_id: fields.optional_id("request_id", request.request_id),
    };
    let reply = replies::confirm(&state.context, &caller, fields.done(confirm)?).await?;
    let reply = with_confirmation(state, &caller, reply).await?;
    Ok(Response::new(v1::ConfirmReplyResponse { reply: Some(reply) }))
}

pub async fn cancel(
    state: &ServerState,
    request: Request<v1::CancelReplyRequest>,
) -> Result<Response<v1::CancelReplyResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let (id, request_id) = read(request.id, request.request_id)?;
    let reply = replies::cancel(&state.context, &caller, &id, request_id).await?;
    Ok(Response::new(v1::CancelReplyResponse {
        reply: Some(convert::reply(reply)),
    }))
}

pub async fn retry(
    state: &ServerState,
    request: Request<v1::RetryReplyRequest>,
) -> Result<Response<v1::RetryReplyResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let (id, request_id) = read(request.id, request.request_id)?;
    let reply = replies::retry(&state.context, &caller, &id, request_id).await?;
    let reply = with_confirmation(state, &caller, reply).await?;
    Ok(Response::new(v1::RetryReplyResponse { reply: Some(reply) }))
}

pub async fn resolve(
    state: &ServerState,
    request: Request<v1::ResolveReplyRequest>,
) -> Result<Response<v1::ResolveReplyResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let resolution = match request.outcome {
        Some(Outcome::Sent(sent)) if sent.message_id.is_empty() => Resolution::Sent { message_id: None },
        Some(Outcome::Sent(sent)) => Resolution::Sent {
            message_id: Some(fields.id("sent.message_id", sent.message_id)),
        },
        Some(Outcome::NotSent(_)) => Resolution::NotSent,
        None => {
            fields.wrong("outcome", "is required: `sent` or `not_sent`");
            Resolution::NotSent
        }
    };
    let ids = (
        fields.id("id", request.id),
        resolution,
        fields.optional_id("request_id", request.request_id),
    );
    let (id, resolution, request_id) = fields.done(ids)?;
    let reply = replies::resolve(&state.context, &caller, &id, resolution, request_id).await?;
    Ok(Response::new(v1::ResolveReplyResponse {
        reply: Some(convert::reply(reply)),
    }))
}

pub async fn get(
    state: &ServerState,
    request: Request<v1::GetReplyRequest>,
) -> Result<Response<v1::GetReplyResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let mut fields = Fields::default();
    let id = fields.id("id", request.into_inner().id);
    let id = fields.done(id)?;
    let (reply, token) = replies::get_with_token(&state.context, &caller, &id).await?;
    Ok(Response::new(v1::GetReplyResponse {
        reply: Some(confirmable(&caller, reply, token)),
    }))
}

pub async fn list(
    state: &ServerState,
    request: Request<v1::ListRepliesRequest>,
) -> Result<Response<v1::ListRepliesResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let filter = Filter {
        thread_id: fields
            .optional_id("thread_id", request.thread_id)
            .unwrap_or_default(),
        states: fields.enumerations("states", request.states, state_of),
    };
    let page = PageRequest {
        size: request.page_size,
        token: request.page_token,
    };
    let page = replies::list(&state.context, &caller, &fields.done(filter)?, &page).await?;
    Ok(Response::new(v1::ListRepliesResponse {
        replies: page.items.into_iter().map(convert::reply).collect(),
        next_page_token: page.next_page_token,
    }))
}

fn read(id: String, request_id: String) -> Result<(String, Option<String>), Problem> {
    let mut fields = Fields::default();
    let ids = (fields.id("id", id), fields.optional_id("request_id", request_id));
    fields.done(ids)
}

/// Converts a reply that was just created or changed, with its current confirmation.
async fn with_confirmation(state: &ServerState, caller: &Caller, reply: Reply) -> Result<v1::Reply, Problem> {
    if reply.state != ReplyState::AwaitingConfirmation {
        return Ok(convert::reply(reply));
    }
    let (reply, token) = replies::get_with_token(&state.context, caller, &reply.id).await?;
    Ok(confirmable(caller, reply, token))
}

fn confirmable(caller: &Caller, reply: Reply, token: Option<(String, i64)>) -> v1::Reply {
    let hash = reply.content_hash.clone();
    let token = token.filter(|_| caller.scopes.contains(Scope::InboxConfirm));
    v1::Reply {
        confirmation: token.map(|(confirm_token, expire_time)| v1::Confirmation {
            confirm_token,
            expire_time: Some(timestamp(expire_time)),
            revision_hash: hash,
        }),
        ..convert::reply(reply)
    }
}

fn state_of(state: v1::reply::State) -> Option<ReplyState> {
    use v1::reply::State as S;
    Some(match state {
        S::Unspecified => return None,
        S::AwaitingConfirmation => ReplyState::AwaitingConfirmation,
        S::Queued => ReplyState::Queued,
        S::Sending => ReplyState::Sending,
        S::Sent => ReplyState::Sent,
        S::Unconfirmed => ReplyState::Unconfirmed,
        S::Failed => ReplyState::Failed,
        S::Blocked => ReplyState::Blocked,
        S::Cancelled => ReplyState::Cancelled,
    })
}
