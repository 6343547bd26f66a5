//! API tokens and accounts over the API.

use tonic::Code;
use vintedbot_proto::v1;
use vintedbot_proto::v1::account_service_client::AccountServiceClient;
use vintedbot_proto::v1::auth_service_client::AuthServiceClient;

use crate::harness::{self, reason};

const REQUEST_ID: &str = "0191b3c2-7f4e-7d3a-9c51-2f6a8e0d4b17";

#[tokio::test]
async fn token_is_created_listed_used_and_revoked() {
    let instance = harness::start().await;
    let mut client = AuthServiceClient::new(instance.connect().await);
    let request = v1::CreateApiTokenRequest {
        name: "for a script".to_owned(),
        scopes: vec!["accounts:read".to_owned()],
        request_id: REQUEST_ID.to_owned(),
        ..Default::default()
    };
    let made = client
        .create_api_token(request.clone())
        .await
        .expect("is made")
        .into_inner();
    let again = client
        .create_api_token(request.clone())
        .await
        .expect("is found")
        .into_inner();
    assert!(!made.secret.is_empty() && again.secret.is_empty());
    let token = made.api_token.expect("a token");
    assert_eq!(again.api_token.map(|token| token.id), Some(token.id.clone()));
    let other = v1::CreateApiTokenRequest {
        name: "another".to_owned(),
        ..request
    };
    let status = client.create_api_token(other).await.expect_err("is refused");
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::AlreadyExists, "REQUEST_ID_REUSED")
    );

    let mut as_script = AuthServiceClient::new(instance.connect_as(Some(&made.secret)).await);
    let who = as_script
        .get_me(v1::GetMeRequest {})
        .await
        .expect("answers")
        .into_inner();
    assert_eq!(
        (who.workspace_id, who.api_token.map(|token| token.name)),
        (instance.workspace_id.clone(), Some("for a script".into()))
    );
    let status = as_script
        .list_api_tokens(v1::ListApiTokensRequest::default())
        .await
        .expect_err("lacks the scope");
    assert_eq!(reason(&status), "INSUFFICIENT_SCOPE");

    let revoke = v1::RevokeApiTokenRequest {
        id: token.id,
        request_id: String::new(),
        ..Default::default()
    };
    let revoked = client
        .revoke_api_token(revoke)
        .await
        .expect("is revoked")
        .into_inner()
        .api_token;
    assert!(revoked.is_some_and(|token| token.revoke_time.is_some()));
    let list = client
        .list_api_tokens(v1::ListApiTokensRequest::default())
        .await
        .expect("lists")
        .into_inner();
    assert_eq!(list.api_tokens.len(), 1);
    instance.stop().await;
}

#[tokio::test]
async fn account_is_updated_set_to_a_mode_and_deleted() {
    let instance = harness::start().await;
    let account = instance.make_account("one").await;
    assert_eq!(
        (account.mode(), account.site.as_str()),
        (v1::account::Mode::Mock, "practice")
    );
    let mut client = AccountServiceClient::new(instance.connect().await);
    let change = v1::Account {
        display_name: "two".to_owned(),
        ..Default::default()
    };
    let request = v1::UpdateAccountRequest {
        id: account.id.clone(),
        account: Some(change),
        ..Default::default()
    };
    let changed = client
        .update_account(request)
        .await
        .expect("is changed")
        .into_inner()
        .account
        .expect("one");
    assert_eq!(
        (changed.display_name.as_str(), changed.language.as_str()),
        ("two", account.language.as_str())
    );

    let automated = v1::SetModeRequest {
        id: account.id.clone(),
        mode: v1::account::Mode::Automated.into(),
        ..Default::default()
    };
    let status = client
        .set_mode(automated)
        .await
        .expect_err("needs an acknowledgement");
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::FailedPrecondition, "ACKNOWLEDGEMENT_REQUIRED")
    );
    let resumed = client
        .resume_account(v1::ResumeAccountRequest {
            id: account.id.clone(),
            ..Default::default()
        })
        .await;
    assert!(resumed.is_ok(), "an account that is not paused stays unchanged");

    client
        .delete_account(v1::DeleteAccountRequest {
            id: account.id,
            ..Default::default()
        })
        .await
        .expect("goes");
    let list = client
        .list_accounts(v1::ListAccountsRequest::default())
        .await
        .expect("lists")
        .into_inner();
    assert!(list.accounts.is_empty());
    instance.stop().await;
}

#[tokio::test]
async fn page_token_of_another_list_is_refused() {
    let instance = harness::start().await;
    for number in 0..5 {
        instance.make_account(&format!("account {number}")).await;
    }
    let mut client = AccountServiceClient::new(instance.connect().await);
    let (mut names, mut page_token) = (Vec::new(), String::new());
    loop {
        let page = client
            .list_accounts(v1::ListAccountsRequest {
                page_size: 2,
                page_token,
            })
            .await
            .expect("lists");
        let page = page.into_inner();
        names.extend(page.accounts.into_iter().map(|account| account.display_name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(
        names,
        (0..5)
            .map(|number| format!("account {number}"))
            .collect::<Vec<_>>()
    );
    let page_token = "not one of ours".to_owned();
    let status = client
        .list_accounts(v1::ListAccountsRequest {
            page_size: 2,
            page_token,
        })
        .await
        .expect_err("is refused");
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::InvalidArgument, "PAGE_TOKEN_INVALID")
    );
    instance.stop().await;
}
