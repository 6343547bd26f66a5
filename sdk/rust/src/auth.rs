//! Who may call.

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
    /// Whose token this is and what it may do.
    pub async fn who_am_i(&self) -> Result<WhoAmIResponse> {
        self.calls
            .read(WhoAmIRequest {}, call!(AuthServiceClient::who_am_i))
            .await
    }

    /// Makes an API token. Its secret is in the answer and nowhere else; it is empty where the first answer was lost and the
    /// call repeated: then revoke the token and make another.
    pub async fn create_api_token(&self, request: CreateApiTokenRequest) -> Result<CreateApiTokenResponse> {
        self.calls
            .change(request, call!(AuthServiceClient::create_api_token))
            .await
    }

    /// API tokens, newest first, without their secrets.
    pub fn list_api_tokens(&self, request: ListApiTokensRequest) -> Paged<ApiToken> {
        self.calls
            .pages(request, call!(AuthServiceClient::list_api_tokens))
    }

    /// Makes an API token useless from now on, with everything that was made with it.
    pub async fn revoke_api_token(&self, id: impl Into<String>) -> Result<ApiToken> {
        self.revoke(RevokeApiTokenRequest {
            id: id.into(),
            ..Default::default()
        })
        .await
    }

    /// Makes an API token useless from now on; another one takes over what was made with it.
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
