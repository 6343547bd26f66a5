//! `AuthService`: identity of the caller, and API tokens.

mod tokens;
mod who_am_i;

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
    async fn who_am_i(
        &self,
        request: Request<v1::WhoAmIRequest>,
    ) -> Result<Response<v1::WhoAmIResponse>, Status> {
        Ok(who_am_i::who_am_i(&self.0, request).await?)
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
