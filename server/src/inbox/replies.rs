//! `SendReply`, `ConfirmReply`, `CancelReply`, `RetryReply`, `ResolveReply`, `GetReply`, `ListReplies`.

use tonic::{Code, Request, Response};
use vintedbot_domain::identity::Scope;
use vintedbot_proto::v1;
use vintedbot_proto::v1::ErrorReason;

use crate::auth;
use crate::errors::Problem;
use crate::state::ServerState;

pub async fn send(
    _: &ServerState,
    request: Request<v1::SendReplyRequest>,
) -> Result<Response<v1::SendReplyResponse>, Problem> {
    auth::caller(&request)?.require(Scope::InboxSend)?;
    Err(not_yet())
}

pub async fn confirm(
    _: &ServerState,
    request: Request<v1::ConfirmReplyRequest>,
) -> Result<Response<v1::ConfirmReplyResponse>, Problem> {
    auth::caller(&request)?.require(Scope::InboxConfirm)?;
    Err(not_yet())
}

pub async fn cancel(
    _: &ServerState,
    request: Request<v1::CancelReplyRequest>,
) -> Result<Response<v1::CancelReplyResponse>, Problem> {
    auth::caller(&request)?.require(Scope::InboxSend)?;
    Err(not_yet())
}

pub async fn retry(
    _: &ServerState,
    request: Request<v1::RetryReplyRequest>,
) -> Result<Response<v1::RetryReplyResponse>, Problem> {
    auth::caller(&request)?.require(Scope::InboxSend)?;
    Err(not_yet())
}

pub async fn resolve(
    _: &ServerState,
    request: Request<v1::ResolveReplyRequest>,
) -> Result<Response<v1::ResolveReplyResponse>, Problem> {
    auth::caller(&request)?.require(Scope::InboxConfirm)?;
    Err(not_yet())
}

pub async fn get(
    _: &ServerState,
    request: Request<v1::GetReplyRequest>,
) -> Result<Response<v1::GetReplyResponse>, Problem> {
    auth::caller(&request)?.require(Scope::InboxRead)?;
    Err(not_yet())
}

pub async fn list(
    _: &ServerState,
    request: Request<v1::ListRepliesRequest>,
) -> Result<Response<v1::ListRepliesResponse>, Problem> {
    auth::caller(&request)?.require(Scope::InboxRead)?;
    Err(not_yet())
}

fn not_yet() -> Problem {
    Problem::new(
        Code::Unimplemented,
        ErrorReason::Unimplemented,
        "this server cannot do that yet",
    )
}
