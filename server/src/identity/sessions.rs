//! `SignIn`, `RefreshSession`, `SignOut`, `ListUserSessions`, `RevokeUserSession`.

use tonic::{Request, Response};
use vintedbot_domain::identity::{self, Client, Password, SessionTokens, SignIn};
use vintedbot_domain::paging::PageRequest;
use vintedbot_proto::v1;

use crate::client;
use crate::convert::{Fields, user};
use crate::errors::Problem;
use crate::state::ServerState;
use crate::{auth, cookies};

pub async fn sign_in(
    state: &ServerState,
    request: Request<v1::SignInRequest>,
) -> Result<Response<v1::SignInResponse>, Problem> {
    let client = client::client(state, &request, &request.get_ref().device);
    let request = request.into_inner();
    let mut fields = Fields::default();
    if request.device.chars().count() > Client::DEVICE_MAX {
        fields.wrong(
            "device",
            format!("must have at most {} characters", Client::DEVICE_MAX),
        );
    }
    let sign_in = SignIn {
        email: fields.text("email", request.email),
        password: Password::new(fields.text("password", request.password)),
        code: request.code,
    };
    let signed_in = identity::sign_in(&state.context, &client, fields.done(sign_in)?).await?;
    let person = user::to_proto(signed_in.user);
    Ok(with_tokens(
        state,
        &signed_in.tokens,
        request.use_cookies,
        |tokens| v1::SignInResponse {
            user: Some(person),
            tokens: Some(tokens),
        },
    ))
}

pub async fn refresh(
    state: &ServerState,
    request: Request<v1::RefreshSessionRequest>,
) -> Result<Response<v1::RefreshSessionResponse>, Problem> {
    let client = client::client(state, &request, "");
    let (metadata, _, request) = request.into_parts();
    let cookie = if request.refresh_token.is_empty() {
        cookies::refresh_token(&state.config, &metadata)?
    } else {
        None
    };
    let token = cookie.unwrap_or(&request.refresh_token);
    let tokens = identity::refresh_session(&state.context, &client, token).await?;
    Ok(with_tokens(state, &tokens, cookie.is_some(), |tokens| {
        v1::RefreshSessionResponse { tokens: Some(tokens) }
    }))
}

/// Builds a response with the tokens of a session, which are in cookies instead if the session uses them.
fn with_tokens<T>(
    state: &ServerState,
    tokens: &SessionTokens,
    use_cookies: bool,
    build: impl FnOnce(v1::SessionTokens) -> T,
) -> Response<T> {
    if !use_cookies {
        return Response::new(build(user::tokens(tokens)));
    }
    let mut response = Response::new(build(user::token_times(tokens)));
    cookies::set(&state.config, state.context.clock.now(), tokens, &mut response);
    response
}

pub async fn sign_out(
    state: &ServerState,
    request: Request<v1::SignOutRequest>,
) -> Result<Response<v1::SignOutResponse>, Problem> {
    let caller = auth::caller(&request)?;
    identity::sign_out(&state.context, &caller, request.into_inner().everywhere).await?;
    let mut response = Response::new(v1::SignOutResponse {});
    cookies::clear(&state.config, &mut response);
    Ok(response)
}

pub async fn list(
    state: &ServerState,
    request: Request<v1::ListUserSessionsRequest>,
) -> Result<Response<v1::ListUserSessionsResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let page = PageRequest {
        size: request.page_size,
        token: request.page_token,
    };
    let page = identity::list_user_sessions(&state.context, &caller, &page).await?;
    let sessions = page.items.into_iter().map(|one| user::session(&caller, one));
    Ok(Response::new(v1::ListUserSessionsResponse {
        sessions: sessions.collect(),
        next_page_token: page.next_page_token,
    }))
}

pub async fn revoke(
    state: &ServerState,
    request: Request<v1::RevokeUserSessionRequest>,
) -> Result<Response<v1::RevokeUserSessionResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let mut fields = Fields::default();
    let id = fields.id("id", request.into_inner().id);
    let session = identity::revoke_user_session(&state.context, &caller, &fields.done(id)?).await?;
    Ok(Response::new(v1::RevokeUserSessionResponse {
        session: Some(user::session(&caller, session)),
    }))
}
