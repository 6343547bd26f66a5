//! Accounts on the marketplace.

use vintedbot_proto::v1::account_service_client::AccountServiceClient;
use vintedbot_proto::v1::{
    Account, CheckSessionRequest, CreateAccountRequest, DeleteAccountRequest, ForgetSessionRequest,
    GetAccountRequest, ImportSessionRequest, ImportSessionResponse, ListAccountsRequest,
    ResumeAccountRequest, SetModeRequest, SetModeResponse, UpdateAccountRequest,
};

use crate::call::{Calls, Present as _, call};
use crate::{Paged, Result};

/// `AccountService`; see [`Client::accounts`](crate::Client::accounts).
#[derive(Clone)]
pub struct Accounts {
    pub(crate) calls: Calls,
}

impl Accounts {
    /// Adds an account. Sends no request to the site.
    pub async fn create(&self, request: CreateAccountRequest) -> Result<Account> {
        let answer = self
            .calls
            .change(request, call!(AccountServiceClient::create_account))
            .await?;
        answer.account.present("account")
    }

    /// Lists all accounts, oldest first.
    pub fn list(&self) -> Paged<Account> {
        self.calls.pages(
            ListAccountsRequest::default(),
            call!(AccountServiceClient::list_accounts),
        )
    }

    /// Returns one account.
    pub async fn get(&self, id: impl Into<String>) -> Result<Account> {
        let request = GetAccountRequest { id: id.into() };
        let answer = self
            .calls
            .read(request, call!(AccountServiceClient::get_account))
            .await?;
        answer.account.present("account")
    }

    /// Changes an account's name, language or publish limit.
    pub async fn update(&self, request: UpdateAccountRequest) -> Result<Account> {
        let answer = self
            .calls
            .change(request, call!(AccountServiceClient::update_account))
            .await?;
        answer.account.present("account")
    }

    /// Removes an account and its listings from the server. Changes nothing on the site.
    pub async fn delete(&self, id: impl Into<String>) -> Result<()> {
        let request = DeleteAccountRequest {
            id: id.into(),
            ..Default::default()
        };
        self.calls
            .change(request, call!(AccountServiceClient::delete_account))
            .await?;
        Ok(())
    }

    /// Sets the account's mode, which limits the actions of the server.
    pub async fn set_mode(&self, request: SetModeRequest) -> Result<SetModeResponse> {
        self.calls
            .change(request, call!(AccountServiceClient::set_mode))
            .await
    }

    /// Imports the session of the person's own browser. The server stores it after the site has accepted it.
    pub async fn import_session(&self, request: ImportSessionRequest) -> Result<ImportSessionResponse> {
        self.calls
            .change(request, call!(AccountServiceClient::import_session))
            .await
    }

    /// Asks the site whether the account's session still works.
    pub async fn check_session(&self, account_id: impl Into<String>) -> Result<Account> {
        let request = CheckSessionRequest {
            account_id: account_id.into(),
        };
        let answer = self
            .calls
            .read(request, call!(AccountServiceClient::check_session))
            .await?;
        answer.account.present("account")
    }

    /// Erases the account's session on the server. The session on the site remains.
    pub async fn forget_session(&self, account_id: impl Into<String>) -> Result<Account> {
        let request = ForgetSessionRequest {
            account_id: account_id.into(),
            ..Default::default()
        };
        let answer = self
            .calls
            .change(request, call!(AccountServiceClient::forget_session))
            .await?;
        answer.account.present("account")
    }

    /// Resumes a paused account, after the person has dealt with the cause.
    pub async fn resume(&self, id: impl Into<String>) -> Result<Account> {
        let request = ResumeAccountRequest {
            id: id.into(),
            ..Default::default()
        };
        let answer = self
            .calls
            .change(request, call!(AccountServiceClient::resume_account))
            .await?;
        answer.account.present("account")
    }
}
