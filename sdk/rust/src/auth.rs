//! Identity of the caller, people and their sessions, and API tokens.

use vintedbot_proto::v1::auth_service_client::AuthServiceClient;
use vintedbot_proto::v1::{
    ApiToken, ChangeEmailRequest, ChangePasswordRequest, ConfirmSecondFactorRequest, CreateApiTokenRequest,
    CreateApiTokenResponse, CreateInvitationRequest, CreateInvitationResponse, DeleteInvitationRequest,
    DeleteUserRequest, DeleteWorkspaceRequest, DisableSecondFactorRequest, EnrollSecondFactorRequest,
    EnrollSecondFactorResponse, GetMeRequest, GetMeResponse, Invitation, LeaveWorkspaceRequest,
    ListApiTokensRequest, ListInvitationsRequest, ListUserSessionsRequest, ListUsersRequest, RegisterRequest,
    RegisterResponse, RequestPasswordResetRequest, ResetPasswordRequest, RevokeApiTokenRequest,
    RevokeUserSessionRequest, Role, SignOutRequest, UpdateMeRequest, UpdateUserRequest, User, UserSession,
    VerifyEmailRequest,
};

use crate::call::{Calls, Present as _, call};
use crate::{Paged, Result};

/// `AuthService`; see [`Client::auth`](crate::Client::auth). [`Client::sign_in`](crate::Client::sign_in) signs a person
/// in.
#[derive(Clone)]
pub struct Auth {
    pub(crate) calls: Calls,
}

/// The caller.
impl Auth {
    /// Returns the caller's workspace, API token or person, and scopes.
    pub async fn get_me(&self) -> Result<GetMeResponse> {
        self.calls
            .read(GetMeRequest {}, call!(AuthServiceClient::get_me))
            .await
    }

    /// Changes the person's display name.
    pub async fn update_me(&self, display_name: impl Into<String>) -> Result<User> {
        let request = UpdateMeRequest {
            display_name: display_name.into(),
        };
        let answer = self
            .calls
            .read(request, call!(AuthServiceClient::update_me))
            .await?;
        answer.user.present("person")
    }

    /// Changes the person's password. Ends all other sessions of the person.
    pub async fn change_password(
        &self,
        current_password: impl Into<String>,
        new_password: impl Into<String>,
    ) -> Result<()> {
        let request = ChangePasswordRequest {
            current_password: current_password.into(),
            new_password: new_password.into(),
        };
        self.calls
            .once(request, call!(AuthServiceClient::change_password))
            .await?;
        Ok(())
    }

    /// Mails a token to a new address of the person. [`verify_email`](Self::verify_email) with it changes the address.
    pub async fn change_email(
        &self,
        new_email: impl Into<String>,
        password: impl Into<String>,
    ) -> Result<()> {
        let request = ChangeEmailRequest {
            new_email: new_email.into(),
            password: password.into(),
        };
        self.calls
            .once(request, call!(AuthServiceClient::change_email))
            .await?;
        Ok(())
    }

    /// Starts the set-up of a second factor. Returns the secret for an authenticator app.
    pub async fn enroll_second_factor(
        &self,
        password: impl Into<String>,
    ) -> Result<EnrollSecondFactorResponse> {
        let request = EnrollSecondFactorRequest {
            password: password.into(),
        };
        self.calls
            .read(request, call!(AuthServiceClient::enroll_second_factor))
            .await
    }

    /// Enables the second factor with a first code. Returns the recovery codes, which only this response contains.
    pub async fn confirm_second_factor(&self, code: impl Into<String>) -> Result<Vec<String>> {
        let request = ConfirmSecondFactorRequest { code: code.into() };
        let answer = self
            .calls
            .once(request, call!(AuthServiceClient::confirm_second_factor))
            .await?;
        Ok(answer.recovery_codes)
    }

    /// Disables the second factor.
    pub async fn disable_second_factor(
        &self,
        password: impl Into<String>,
        code: impl Into<String>,
    ) -> Result<()> {
        let request = DisableSecondFactorRequest {
            password: password.into(),
            code: code.into(),
        };
        self.calls
            .once(request, call!(AuthServiceClient::disable_second_factor))
            .await?;
        Ok(())
    }

    /// Leaves the workspace and deletes the person's data.
    pub async fn leave_workspace(&self, password: impl Into<String>) -> Result<()> {
        let request = LeaveWorkspaceRequest {
            password: password.into(),
        };
        self.calls
            .once(request, call!(AuthServiceClient::leave_workspace))
            .await?;
        Ok(())
    }
}

/// Registration and lost passwords. These methods need no credential.
impl Auth {
    /// Registers a person. Unless the request has an invitation, the person can sign in after
    /// [`verify_email`](Self::verify_email).
    pub async fn register(&self, request: RegisterRequest) -> Result<RegisterResponse> {
        self.calls
            .public()
            .once(request, call!(AuthServiceClient::register))
            .await
    }

    /// Completes a registration or a change of address with the mailed token. Returns the address.
    pub async fn verify_email(&self, token: impl Into<String>) -> Result<String> {
        let request = VerifyEmailRequest { token: token.into() };
        let answer = self
            .calls
            .public()
            .once(request, call!(AuthServiceClient::verify_email))
            .await?;
        Ok(answer.email)
    }

    /// Mails a token for [`reset_password`](Self::reset_password) to an address.
    pub async fn request_password_reset(&self, email: impl Into<String>) -> Result<()> {
        let request = RequestPasswordResetRequest { email: email.into() };
        self.calls
            .public()
            .once(request, call!(AuthServiceClient::request_password_reset))
            .await?;
        Ok(())
    }

    /// Sets a new password with the mailed token. Ends all sessions of the person.
    pub async fn reset_password(
        &self,
        token: impl Into<String>,
        new_password: impl Into<String>,
    ) -> Result<()> {
        let request = ResetPasswordRequest {
            token: token.into(),
            new_password: new_password.into(),
        };
        self.calls
            .public()
            .once(request, call!(AuthServiceClient::reset_password))
            .await?;
        Ok(())
    }
}

/// Sessions.
impl Auth {
    /// Ends the session of this client, or all sessions of the person.
    pub async fn sign_out(&self, everywhere: bool) -> Result<()> {
        let request = SignOutRequest { everywhere };
        self.calls
            .once(request, call!(AuthServiceClient::sign_out))
            .await?;
        Ok(())
    }

    /// Lists the person's sessions that have not ended, newest first.
    pub fn list_user_sessions(&self) -> Paged<UserSession> {
        self.calls.pages(
            ListUserSessionsRequest::default(),
            call!(AuthServiceClient::list_user_sessions),
        )
    }

    /// Ends a session of the person.
    pub async fn revoke_user_session(&self, id: impl Into<String>) -> Result<UserSession> {
        let request = RevokeUserSessionRequest { id: id.into() };
        let answer = self
            .calls
            .read(request, call!(AuthServiceClient::revoke_user_session))
            .await?;
        answer.session.present("session")
    }
}

/// People of the workspace.
impl Auth {
    /// Lists the people of the workspace, oldest first.
    pub fn list_users(&self) -> Paged<User> {
        self.calls
            .pages(ListUsersRequest::default(), call!(AuthServiceClient::list_users))
    }

    /// Changes the role of a person.
    pub async fn update_user(&self, id: impl Into<String>, role: Role) -> Result<User> {
        let request = UpdateUserRequest {
            id: id.into(),
            role: role.into(),
        };
        let answer = self
            .calls
            .read(request, call!(AuthServiceClient::update_user))
            .await?;
        answer.user.present("person")
    }

    /// Removes a person from the workspace, with the person's data, sessions and API tokens.
    pub async fn delete_user(&self, id: impl Into<String>) -> Result<()> {
        let request = DeleteUserRequest { id: id.into() };
        self.calls
            .once(request, call!(AuthServiceClient::delete_user))
            .await?;
        Ok(())
    }

    /// Invites a person and mails the invitation. The response contains the token only if the server sends no mail. The
    /// token is empty if the first response was lost and the call was repeated.
    pub async fn create_invitation(
        &self,
        request: CreateInvitationRequest,
    ) -> Result<CreateInvitationResponse> {
        self.calls
            .change(request, call!(AuthServiceClient::create_invitation))
            .await
    }

    /// Lists the invitations that can still be accepted, newest first.
    pub fn list_invitations(&self) -> Paged<Invitation> {
        self.calls.pages(
            ListInvitationsRequest::default(),
            call!(AuthServiceClient::list_invitations),
        )
    }

    /// Deletes an invitation.
    pub async fn delete_invitation(&self, id: impl Into<String>) -> Result<()> {
        let request = DeleteInvitationRequest { id: id.into() };
        self.calls
            .once(request, call!(AuthServiceClient::delete_invitation))
            .await?;
        Ok(())
    }

    /// Deletes the workspace with everything in it. This cannot be undone. Changes nothing on the site.
    pub async fn delete_workspace(
        &self,
        password: impl Into<String>,
        workspace_name: impl Into<String>,
    ) -> Result<()> {
        let request = DeleteWorkspaceRequest {
            password: password.into(),
            workspace_name: workspace_name.into(),
        };
        self.calls
            .once(request, call!(AuthServiceClient::delete_workspace))
            .await?;
        Ok(())
    }
}

/// API tokens.
impl Auth {
    /// Creates an API token. Only this response contains the secret. The secret is empty if the first response was lost
    /// and the call was repeated. In that case, revoke the token and create another.
    pub async fn create_api_token(&self, request: CreateApiTokenRequest) -> Result<CreateApiTokenResponse> {
        self.calls
            .change(request, call!(AuthServiceClient::create_api_token))
            .await
    }

    /// Lists API tokens, newest first, without their secrets.
    pub fn list_api_tokens(&self, request: ListApiTokensRequest) -> Paged<ApiToken> {
        self.calls
            .pages(request, call!(AuthServiceClient::list_api_tokens))
    }

    /// Revokes an API token, with everything that was created with it.
    pub async fn revoke_api_token(&self, id: impl Into<String>) -> Result<ApiToken> {
        self.revoke(RevokeApiTokenRequest {
            id: id.into(),
            ..Default::default()
        })
        .await
    }

    /// Revokes an API token. The successor takes over everything that was created with it.
    pub async fn replace_api_token(
        &self,
        id: impl Into<String>,
        successor_id: impl Into<String>,
    ) -> Result<ApiToken> {
        self.revoke(RevokeApiTokenRequest {
            id: id.into(),
            successor_id: successor_id.into(),
            ..Default::default()
        })
        .await
    }

    async fn revoke(&self, request: RevokeApiTokenRequest) -> Result<ApiToken> {
        let answer = self
            .calls
            .change(request, call!(AuthServiceClient::revoke_api_token))
            .await?;
        answer.api_token.present("API token")
    }
}
