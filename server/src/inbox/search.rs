//! `Search`.

use tonic::{Request, Response};
use vintedbot_domain::paging::PageRequest;
use vintedbot_domain::search::{self, Filter};
use vintedbot_proto::v1;

use crate::auth;
use crate::convert::{Fields, search as convert};
use crate::errors::Problem;
use crate::state::ServerState;

pub async fn search(
    state: &ServerState,
    request: Request<v1::SearchRequest>,
) -> Result<Response<v1::SearchResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let (query, filter, page) = read(request.into_inner())?;
    let answer = search::search_inbox(&state.context, &caller, &query, &filter, &page).await?;
    Ok(Response::new(v1::SearchResponse {
        results: answer.page.items.into_iter().map(convert::hit).collect(),
        next_page_token: answer.page.next_page_token,
        index_complete: answer.index_complete,
    }))
}

fn read(request: v1::SearchRequest) -> Result<(String, Filter, PageRequest), Problem> {
    let mut fields = Fields::default();
    let filter = Filter {
        account_id: fields.optional_id("account_id", request.account_id),
        person_id: fields.optional_id("person_id", request.person_id),
        thread_id: fields.optional_id("thread_id", request.thread_id),
        kinds: fields.enumerations("kinds", request.kinds, convert::from_kind),
        from: fields.time("start_time", request.start_time),
        until: fields.time("end_time", request.end_time),
        has_photo: request.has_photo,
        has_offer: request.has_offer,
    };
    let page = PageRequest {
        size: request.page_size,
        token: request.page_token,
    };
    fields.done((request.query, filter, page))
}
