//! `ListThreads`, `GetThread`, `ListMessages`.

use tonic::{Request, Response};
use vintedbot_domain::inbox::{self, Filter};
use vintedbot_domain::paging::PageRequest;
use vintedbot_proto::v1;

use crate::auth;
use crate::convert::{Fields, inbox as convert, saturating_i64};
use crate::errors::Problem;
use crate::state::ServerState;

pub async fn list(
    state: &ServerState,
    request: Request<v1::ListThreadsRequest>,
) -> Result<Response<v1::ListThreadsResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let (filter, page) = read(request.into_inner())?;
    let page = inbox::list(&state.context, &caller, &filter, &page).await?;
    Ok(Response::new(v1::ListThreadsResponse {
        threads: page.items.into_iter().map(convert::thread).collect(),
        next_page_token: page.next_page_token,
    }))
}

fn read(request: v1::ListThreadsRequest) -> Result<(Filter, PageRequest), Problem> {
    let mut fields = Fields::default();
    let filter = Filter {
        account_ids: fields.ids("account_ids", inbox::BULK_MAX, request.account_ids),
        unread: request.unread,
        archived: request.archived.unwrap_or_default(),
        has_offer: request.has_offer,
        waiting_for_me: request.waiting_for_me,
        snoozed: request.snoozed.unwrap_or_default(),
        label: request.label,
        changed_since: request.changed_since_sequence.map(saturating_i64),
    };
    let page = PageRequest {
        size: request.page_size,
        token: request.page_token,
    };
    fields.done((filter, page))
}

pub async fn get(
    state: &ServerState,
    request: Request<v1::GetThreadRequest>,
) -> Result<Response<v1::GetThreadResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let mut fields = Fields::default();
    let id = fields.id("id", request.into_inner().id);
    let id = fields.done(id)?;
    let thread = inbox::get(&state.context, &caller, &id).await?;
    Ok(Response::new(v1::GetThreadResponse {
        thread: Some(convert::thread(thread)),
    }))
}

pub async fn list_messages(
    state: &ServerState,
    request: Request<v1::ListMessagesRequest>,
) -> Result<Response<v1::ListMessagesResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let id = fields.id("thread_id", request.thread_id);
    let id = fields.done(id)?;
    let page = PageRequest {
        size: request.page_size,
        token: request.page_token,
    };
    let page = inbox::list_messages(&state.context, &caller, &id, request.oldest_first, &page).await?;
    Ok(Response::new(v1::ListMessagesResponse {
        messages: page.items.into_iter().map(convert::message).collect(),
        next_page_token: page.next_page_token,
    }))
}
