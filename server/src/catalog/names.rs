//! `ResolveNames`.

use tonic::{Request, Response};
use vintedbot_domain::catalog::{self, NameQuery};
use vintedbot_proto::v1;

use crate::auth;
use crate::convert::{Fields, catalog as convert};
use crate::errors::Problem;
use crate::state::ServerState;

pub async fn resolve(
    state: &ServerState,
    request: Request<v1::ResolveNamesRequest>,
) -> Result<Response<v1::ResolveNamesResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let (account_id, queries) = read(request.into_inner())?;
    let results = catalog::resolve_names(&state.context, &caller, &account_id, &queries).await?;
    Ok(Response::new(v1::ResolveNamesResponse {
        results: results.into_iter().map(convert::resolution).collect(),
    }))
}

fn read(request: v1::ResolveNamesRequest) -> Result<(String, Vec<NameQuery>), Problem> {
    let mut fields = Fields::default();
    let account_id = fields.id("account_id", request.account_id);
    let queries = fields.list("queries", catalog::QUERIES_MAX, request.queries);
    let queries = queries.into_iter().enumerate();
    let queries = queries
        .map(|(at, query)| convert::name_query(&mut fields, at, query))
        .collect();
    fields.done((account_id, queries))
}
