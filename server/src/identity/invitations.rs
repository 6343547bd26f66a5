//! `CreateInvitation`, `ListInvitations`, `DeleteInvitation`.

use tonic::{Request, Response};
use vintedbot_domain::identity::{self, NewInvitation};
use vintedbot_domain::paging::PageRequest;
use vintedbot_proto::v1;

use crate::auth;
use crate::convert::{Fields, user};
use crate::errors::Problem;
use crate::state::ServerState;

pub async fn create(
    state: &ServerState,
    request: Request<v1::CreateInvitationRequest>,
) -> Result<Response<v1::CreateInvitationResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let role = v1::Role::try_from(request.role);
    let new = NewInvitation {
        email: request.email,
        // The domain reports a missing or unknown role together with a malformed address.
        role: role.ok().and_then(user::from_role),
        request_id: fields.optional_id("request_id", request.request_id),
    };
    let created = identity::create_invitation(&state.context, &caller, fields.done(new)?).await?;
    Ok(Response::new(v1::CreateInvitationResponse {
        invitation: Some(user::invitation(created.invitation)),
        invitation_token: created
            .token
            .map(|token| token.as_str().to_owned())
            .unwrap_or_default(),
    }))
}

pub async fn list(
    state: &ServerState,
    request: Request<v1::ListInvitationsRequest>,
) -> Result<Response<v1::ListInvitationsResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let page = PageRequest {
        size: request.page_size,
        token: request.page_token,
    };
    let page = identity::list_invitations(&state.context, &caller, &page).await?;
    Ok(Response::new(v1::ListInvitationsResponse {
        invitations: page.items.into_iter().map(user::invitation).collect(),
        next_page_token: page.next_page_token,
    }))
}

pub async fn delete(
    state: &ServerState,
    request: Request<v1::DeleteInvitationRequest>,
) -> Result<Response<v1::DeleteInvitationResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let mut fields = Fields::default();
    let id = fields.id("id", request.into_inner().id);
    identity::delete_invitation(&state.context, &caller, &fields.done(id)?).await?;
    Ok(Response::new(v1::DeleteInvitationResponse {}))
}
