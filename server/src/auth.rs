//! Authentication and authorization: converts the credential of a call into the domain's caller, and checks that the
//! caller may call the method. What each method requires is generated from the contract, so handlers check no scopes.
//! Health, reflection and the public methods need no credential.

use std::collections::HashMap;
use std::sync::LazyLock;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderMap;
use tonic::Status;
use vintedbot_domain::clock::{Millis, rfc3339};
use vintedbot_domain::identity::{self, Access, Caller, Scope, Scopes};
use vintedbot_domain::{Error, Reason, store};
use vintedbot_proto::authorization::{METHODS, Method};

use crate::calls::Call;
use crate::connections::{Activity, hold};
use crate::convert::user;
use crate::errors::Problem;
use crate::state::ServerState;
use crate::{client, cookies};

/// Services that need no credential.
const OPEN: [&str; 3] = [
    "/grpc.health.v1.Health/",
    "/grpc.reflection.v1.ServerReflection/",
    "/grpc.reflection.v1alpha.ServerReflection/",
];

/// The wait before a refused call may be retried: most calls take less.
const RETRY_MS: Millis = 1_000;

/// The authorization of a method.
enum Rule {
    Public,
    Restricted(Access),
}

/// The rule of each method, by path.
static RULES: LazyLock<HashMap<&'static str, Rule>> = LazyLock::new(|| {
    METHODS
        .iter()
        .filter_map(|method| Some((method.path, rule(method)?)))
        .collect()
});

/// Returns a method's rule. Absent if its options are wrong; every call is then refused.
fn rule(method: &Method) -> Option<Rule> {
    let (scopes, people_only) = match method.scopes {
        [] => return None,
        ["public"] => return Some(Rule::Public),
        ["any"] => (Scopes::default(), false),
        ["person"] => (Scopes::default(), true),
        names => {
            let scopes = names.iter().map(|name| Scope::from_name(name));
            (scopes.collect::<Option<Scopes>>()?, false)
        }
    };
    Some(Rule::Restricted(Access {
        scopes,
        people_only,
        role: user::from_role(method.role)?,
    }))
}

/// Adds the [`Caller`] to the request, or refuses the call.
pub async fn authenticate(State(state): State<ServerState>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if OPEN.iter().any(|open| path.starts_with(open)) {
        return next.run(request).await;
    }
    let access = match RULES.get(path) {
        Some(Rule::Restricted(access)) => access,
        Some(Rule::Public) => return run_public(&state, request, next).await,
        None => return Status::unimplemented("").into_http(),
    };
    let caller = match authorized(&state, request.headers(), access).await {
        Ok(caller) => caller,
        Err(error) => return Status::from(Problem::from(error)).into_http(),
    };
    let activity = request.extensions().get::<Activity>();
    let Some(call) = state.connections.authenticated(&caller.workspace_id, activity) else {
        return Status::from(too_many_calls(&state, "calls_per_workspace", "of this workspace")).into_http();
    };
    if let Some(known) = request.extensions_mut().get_mut::<Call>() {
        known.holder = caller.link_holder();
    }
    let workspace_id = caller.workspace_id.clone();
    request.extensions_mut().insert(caller);
    hold(store::within(&workspace_id, next.run(request)).await, call)
}

/// Runs a call without a credential, within the limit of its client's address.
async fn run_public(state: &ServerState, request: Request, next: Next) -> Response {
    let address = client::address(state, request.extensions(), request.headers());
    let Some(call) = state.connections.public(address) else {
        let refused = too_many_calls(
            state,
            "public_calls_per_address",
            "without a credential from this address",
        );
        return Status::from(refused).into_http();
    };
    hold(next.run(request).await, call)
}

async fn authorized(state: &ServerState, headers: &HeaderMap, access: &Access) -> Result<Caller, Error> {
    let credential = cookies::credential(&state.config, headers)?;
    let caller = identity::authenticate(&state.context, credential).await?;
    caller.authorize(access)?;
    Ok(caller)
}

fn too_many_calls(state: &ServerState, limit: &str, whose: &str) -> Problem {
    let count = state.connections.limits().calls_per_workspace;
    let message = format!("{count} calls {whose} are running; streams count until they end");
    Error::rejected(Reason::RateLimited, message)
        .with("limit", limit)
        .with("available_time", rfc3339(state.context.clock.now() + RETRY_MS))
        .retry_after(RETRY_MS)
        .into()
}

/// Returns the caller that [`authenticate`] added.
pub fn caller<T>(request: &tonic::Request<T>) -> Result<Caller, Problem> {
    request
        .extensions()
        .get::<Caller>()
        .cloned()
        .ok_or_else(|| Error::rejected(Reason::TokenMissing, "the call was not authenticated").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_of_the_contract_has_a_rule() {
        let missing: Vec<_> = METHODS
            .iter()
            .filter(|method| !RULES.contains_key(method.path))
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
