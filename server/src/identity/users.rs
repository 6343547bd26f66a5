//! `ListUsers`, `UpdateUser`, `DeleteUser`.

use tonic::{Request, Response};
use vintedbot_domain::identity;
use vintedbot_domain::paging::PageRequest;
use vintedbot_proto::v1;

use crate::auth;
use crate::convert::{Fields, user};
use crate::errors::Problem;
use crate::state::ServerState;

pub async fn list(
    state: &ServerState,
    request: Request<v1::ListUsersRequest>,
) -> Result<Response<v1::ListUsersResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let page = PageRequest {
        size: request.page_size,
        token: request.page_token,
    };
    let page = identity::list_users(&state.context, &caller, &page).await?;
    Ok(Response::new(v1::ListUsersResponse {
        users: page.items.into_iter().map(user::to_proto).collect(),
        next_page_token: page.next_page_token,
    }))
}

pub async fn update(
    state: &ServerState,
    request: Request<v1::UpdateUserRequest>,
) -> Result<Response<v1::UpdateUserResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let id = fields.id("id", request.id);
    let role = fields.enumeration("role", request.role, user::from_role);
    let (id, role) = fields.done_with(role.map(|role| (id, role)))?;
    let changed = identity::update_user(&state.context, &caller, &id, role).await?;
    Ok(Response::new(v1::UpdateUserResponse {
        user: Some(user::to_proto(changed)),
    }))
}

pub async fn delete(
    state: &ServerState,
    request: Request<v1::DeleteUserRequest>,
) -> Result<Response<v1::DeleteUserResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let mut fields = Fields::default();
    let id = fields.id("id", request.into_inner().id);
    identity::delete_user(&state.context, &caller, &fields.done(id)?).await?;
    Ok(Response::new(v1::DeleteUserResponse {}))
}
