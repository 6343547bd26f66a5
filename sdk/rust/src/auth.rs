//! Identity of the caller, and API tokens.

use vintedbot_proto::v1::auth_service_client::AuthServiceClient;
use vintedbot_proto::v1::{
    ApiToken, CreateApiTokenRequest, CreateApiTokenResponse, ListApiTokensRequest, RevokeApiTokenRequest,
    WhoAmIRequest, WhoAmIResponse,
};

use crate::call::{Calls, Present as _, call};
use crate::{Paged, Result};

/// `AuthService`; see [`Client::auth`](crate::Client::auth).
#[derive(Clone)]
pub struct Auth {
    pub(crate) calls: Calls,
}

impl Auth {
    /// Returns the caller's workspace, API token and scopes.
    pub async fn who_am_i(&self) -> Result<WhoAmIResponse> {
        self.calls
            .read(WhoAmIRequest {}, call!(AuthServiceClient::who_am_i))
            .await
    }

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
