//! `AuthService`: people, their sessions, and API tokens.

mod invitations;
mod me;
mod password;
mod registration;
mod second_factor;
mod sessions;
mod tokens;
mod users;
mod workspace;

use tonic::service::RoutesBuilder;
use tonic::{Request, Response, Status};
use vintedbot_proto::v1;
use vintedbot_proto::v1::auth_service_server::{AuthService, AuthServiceServer};

use crate::state::ServerState;

pub fn add(routes: &mut RoutesBuilder, state: &ServerState) {
    let limit = state.config.max_message_bytes;
    routes.add_service(AuthServiceServer::new(Service(state.clone())).max_decoding_message_size(limit));
}

struct Service(ServerState);

#[tonic::async_trait]
impl AuthService for Service {
    async fn register(
        &self,
        request: Request<v1::RegisterRequest>,
    ) -> Result<Response<v1::RegisterResponse>, Status> {
        Ok(registration::register(&self.0, request).await?)
    }

    async fn verify_email(
        &self,
        request: Request<v1::VerifyEmailRequest>,
    ) -> Result<Response<v1::VerifyEmailResponse>, Status> {
        Ok(registration::verify_email(&self.0, request).await?)
    }

    async fn sign_in(
        &self,
        request: Request<v1::SignInRequest>,
    ) -> Result<Response<v1::SignInResponse>, Status> {
        Ok(sessions::sign_in(&self.0, request).await?)
    }

    async fn refresh_session(
        &self,
        request: Request<v1::RefreshSessionRequest>,
    ) -> Result<Response<v1::RefreshSessionResponse>, Status> {
        Ok(sessions::refresh(&self.0, request).await?)
    }

    async fn request_password_reset(
        &self,
        request: Request<v1::RequestPasswordResetRequest>,
    ) -> Result<Response<v1::RequestPasswordResetResponse>, Status> {
        Ok(password::request_reset(&self.0, request).await?)
    }

    async fn reset_password(
        &self,
        request: Request<v1::ResetPasswordRequest>,
    ) -> Result<Response<v1::ResetPasswordResponse>, Status> {
        Ok(password::reset(&self.0, request).await?)
    }

    async fn get_me(
        &self,
        request: Request<v1::GetMeRequest>,
    ) -> Result<Response<v1::GetMeResponse>, Status> {
        Ok(me::get(&self.0, request).await?)
    }

    async fn sign_out(
        &self,
        request: Request<v1::SignOutRequest>,
    ) -> Result<Response<v1::SignOutResponse>, Status> {
        Ok(sessions::sign_out(&self.0, request).await?)
    }

    async fn update_me(
        &self,
        request: Request<v1::UpdateMeRequest>,
    ) -> Result<Response<v1::UpdateMeResponse>, Status> {
        Ok(me::update(&self.0, request).await?)
    }

    async fn change_password(
        &self,
        request: Request<v1::ChangePasswordRequest>,
    ) -> Result<Response<v1::ChangePasswordResponse>, Status> {
        Ok(password::change(&self.0, request).await?)
    }

    async fn change_email(
        &self,
        request: Request<v1::ChangeEmailRequest>,
    ) -> Result<Response<v1::ChangeEmailResponse>, Status> {
        Ok(me::change_email(&self.0, request).await?)
    }

    async fn enroll_second_factor(
        &self,
        request: Request<v1::EnrollSecondFactorRequest>,
    ) -> Result<Response<v1::EnrollSecondFactorResponse>, Status> {
        Ok(second_factor::enroll(&self.0, request).await?)
    }

    async fn confirm_second_factor(
        &self,
        request: Request<v1::ConfirmSecondFactorRequest>,
    ) -> Result<Response<v1::ConfirmSecondFactorResponse>, Status> {
        Ok(second_factor::confirm(&self.0, request).await?)
    }

    async fn disable_second_factor(
        &self,
        request: Request<v1::DisableSecondFactorRequest>,
    ) -> Result<Response<v1::DisableSecondFactorResponse>, Status> {
        Ok(second_factor::disable(&self.0, request).await?)
    }

    async fn list_user_sessions(
        &self,
        request: Request<v1::ListUserSessionsRequest>,
    ) -> Result<Response<v1::ListUserSessionsResponse>, Status> {
        Ok(sessions::list(&self.0, request).await?)
    }

    async fn revoke_user_session(
        &self,
        request: Request<v1::RevokeUserSessionRequest>,
    ) -> Result<Response<v1::RevokeUserSessionResponse>, Status> {
        Ok(sessions::revoke(&self.0, request).await?)
    }

    async fn list_users(
        &self,
        request: Request<v1::ListUsersRequest>,
    ) -> Result<Response<v1::ListUsersResponse>, Status> {
        Ok(users::list(&self.0, request).await?)
    }

    async fn update_user(
        &self,
        request: Request<v1::UpdateUserRequest>,
    ) -> Result<Response<v1::UpdateUserResponse>, Status> {
        Ok(users::update(&self.0, request).await?)
    }

    async fn delete_user(
        &self,
        request: Request<v1::DeleteUserRequest>,
    ) -> Result<Response<v1::DeleteUserResponse>, Status> {
        Ok(users::delete(&self.0, request).await?)
    }

    async fn leave_workspace(
        &self,
        request: Request<v1::LeaveWorkspaceRequest>,
    ) -> Result<Response<v1::LeaveWorkspaceResponse>, Status> {
        Ok(workspace::leave(&self.0, request).await?)
    }

    async fn create_invitation(
        &self,
        request: Request<v1::CreateInvitationRequest>,
    ) -> Result<Response<v1::CreateInvitationResponse>, Status> {
        Ok(invitations::create(&self.0, request).await?)
    }

    async fn list_invitations(
        &self,
        request: Request<v1::ListInvitationsRequest>,
    ) -> Result<Response<v1::ListInvitationsResponse>, Status> {
        Ok(invitations::list(&self.0, request).await?)
    }

    async fn delete_invitation(
        &self,
        request: Request<v1::DeleteInvitationRequest>,
    ) -> Result<Response<v1::DeleteInvitationResponse>, Status> {
        Ok(invitations::delete(&self.0, request).await?)
    }

    async fn delete_workspace(
        &self,
        request: Request<v1::DeleteWorkspaceRequest>,
    ) -> Result<Response<v1::DeleteWorkspaceResponse>, Status> {
        Ok(workspace::delete(&self.0, request).await?)
    }

    async fn create_api_token(
        &self,
        request: Request<v1::CreateApiTokenRequest>,
    ) -> Result<Response<v1::CreateApiTokenResponse>, Status> {
        Ok(tokens::create(&self.0, request).await?)
    }

    async fn list_api_tokens(
        &self,
        request: Request<v1::ListApiTokensRequest>,
    ) -> Result<Response<v1::ListApiTokensResponse>, Status> {
        Ok(tokens::list(&self.0, request).await?)
    }

    async fn revoke_api_token(
        &self,
        request: Request<v1::RevokeApiTokenRequest>,
    ) -> Result<Response<v1::RevokeApiTokenResponse>, Status> {
        Ok(tokens::revoke(&self.0, request).await?)
    }
}
