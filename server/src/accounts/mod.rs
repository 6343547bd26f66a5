//! `AccountService`: accounts on the marketplace, their modes and their sessions.

mod change;
mod create;
mod mode;
mod read;
mod session;

use tonic::service::RoutesBuilder;
use tonic::{Request, Response, Status};
use vintedbot_domain::accounts::Account;
use vintedbot_domain::inbox::sync;
use vintedbot_proto::v1;
use vintedbot_proto::v1::account_service_server::{AccountService, AccountServiceServer};

use crate::convert::account;
use crate::errors::Problem;
use crate::state::ServerState;

pub fn add(routes: &mut RoutesBuilder, state: &ServerState) {
    let limit = state.config.max_message_bytes;
    routes.add_service(AccountServiceServer::new(Service(state.clone())).max_decoding_message_size(limit));
}

/// Converts an account, with the freshness of its inbox.
async fn shown(state: &ServerState, account: Account) -> Result<v1::Account, Problem> {
    let fresh = sync::freshness_of(&state.context, &account).await?;
    Ok(account::with_freshness(account, fresh))
}

struct Service(ServerState);

#[tonic::async_trait]
impl AccountService for Service {
    async fn create_account(
        &self,
        request: Request<v1::CreateAccountRequest>,
    ) -> Result<Response<v1::CreateAccountResponse>, Status> {
        Ok(create::create(&self.0, request).await?)
    }

    async fn list_accounts(
        &self,
        request: Request<v1::ListAccountsRequest>,
    ) -> Result<Response<v1::ListAccountsResponse>, Status> {
        Ok(read::list(&self.0, request).await?)
    }

    async fn get_account(
        &self,
        request: Request<v1::GetAccountRequest>,
    ) -> Result<Response<v1::GetAccountResponse>, Status> {
        Ok(read::get(&self.0, request).await?)
    }

    async fn update_account(
        &self,
        request: Request<v1::UpdateAccountRequest>,
    ) -> Result<Response<v1::UpdateAccountResponse>, Status> {
        Ok(change::update(&self.0, request).await?)
    }

    async fn delete_account(
        &self,
        request: Request<v1::DeleteAccountRequest>,
    ) -> Result<Response<v1::DeleteAccountResponse>, Status> {
        Ok(change::delete(&self.0, request).await?)
    }

    async fn set_mode(
        &self,
        request: Request<v1::SetModeRequest>,
    ) -> Result<Response<v1::SetModeResponse>, Status> {
        Ok(mode::set_mode(&self.0, request).await?)
    }

    async fn resume_account(
        &self,
        request: Request<v1::ResumeAccountRequest>,
    ) -> Result<Response<v1::ResumeAccountResponse>, Status> {
        Ok(mode::resume(&self.0, request).await?)
    }

    async fn import_session(
        &self,
        request: Request<v1::ImportSessionRequest>,
    ) -> Result<Response<v1::ImportSessionResponse>, Status> {
        Ok(session::import(&self.0, request).await?)
    }

    async fn check_session(
        &self,
        request: Request<v1::CheckSessionRequest>,
    ) -> Result<Response<v1::CheckSessionResponse>, Status> {
        Ok(session::check(&self.0, request).await?)
    }

    async fn forget_session(
        &self,
        request: Request<v1::ForgetSessionRequest>,
    ) -> Result<Response<v1::ForgetSessionResponse>, Status> {
        Ok(session::forget(&self.0, request).await?)
    }
}
