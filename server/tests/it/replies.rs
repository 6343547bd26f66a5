//! Replies over the API.

use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use vintedbot_domain::identity::Scope;
use vintedbot_proto::v1;
use vintedbot_proto::v1::inbox_service_client::InboxServiceClient;
use vintedbot_proto::v1::reply::State;

use crate::conversations::{conversation, store, stranger};
use crate::harness::{self, Connection, Instance, reason};

type Client = InboxServiceClient<Connection>;

/// Returns an instance with one thread, a client with every scope, and the thread's id.
async fn start() -> (Instance, Client, String) {
    let instance = harness::start().await;
    let account = instance.make_account("one").await;
    let thread_id = store(&instance, &account.id, &conversation("9", "200", 1, 10)).await;
    let client = InboxServiceClient::new(instance.connect().await);
    (instance, client, thread_id)
}

async fn client_with(instance: &Instance, scopes: &[Scope]) -> Client {
    let (_, secret) = instance.make_token(scopes, None).await;
    InboxServiceClient::new(instance.connect_as(Some(&secret)).await)
}

fn to_send(thread_id: &str, text: &str) -> v1::SendReplyRequest {
    v1::SendReplyRequest {
        thread_id: thread_id.to_owned(),
        text: text.to_owned(),
        ..Default::default()
    }
}

async fn send(client: &mut Client, request: v1::SendReplyRequest) -> Result<v1::Reply, Status> {
    let answer = client.send_reply(request).await?;
    Ok(answer.into_inner().reply.expect("a reply"))
}

async fn get(client: &mut Client, id: &str) -> v1::Reply {
    let request = v1::GetReplyRequest { id: id.to_owned() };
    let answer = client.get_reply(request).await.expect("is there").into_inner();
    answer.reply.expect("a reply")
}

fn fields(status: &Status) -> Vec<String> {
    assert_eq!(
        (status.code(), reason(status).as_str()),
        (Code::InvalidArgument, "VALIDATION_FAILED")
    );
    let request = status.get_details_bad_request().expect("violations");
    request
        .field_violations
        .into_iter()
        .map(|one| one.field)
        .collect()
}

#[tokio::test]
async fn invalid_reply_is_refused_with_its_fields_and_not_stored() {
    let (instance, mut client, thread_id) = start().await;
    let no_photo = instance.context.ids.id();
    let wrong = [
        (to_send(&thread_id, &"x".repeat(5_000)), "text"),
        (to_send(&thread_id, "  "), "text"),
        (to_send("7", "x"), "thread_id"),
        (
            v1::SendReplyRequest {
                photo_ids: vec![no_photo],
                ..to_send(&thread_id, "x")
            },
            "photo_ids[0]",
        ),
    ];
    for (request, field) in wrong {
        let status = send(&mut client, request).await.expect_err("is refused");
        assert_eq!(fields(&status), [field]);
    }
    let listed = client
        .list_replies(v1::ListRepliesRequest::default())
        .await
        .expect("lists")
        .into_inner();
    assert!(listed.replies.is_empty());
    instance.stop().await;
}

#[tokio::test]
async fn waiting_reply_can_be_cancelled() {
    let (instance, mut client, thread_id) = start().await;
    let reply = send(&mut client, to_send(&thread_id, "Yes"))
        .await
        .expect("is queued");
    assert_eq!(reply.state(), State::Queued);
    assert!(reply.send_time.is_some() && reply.confirmation.is_none());
    let cancel = v1::CancelReplyRequest {
        id: reply.id.clone(),
        ..Default::default()
    };
    let taken = client
        .cancel_reply(cancel)
        .await
        .expect("is cancelled")
        .into_inner();
    assert_eq!(taken.reply.expect("a reply").state(), State::Cancelled);
    let retry = v1::RetryReplyRequest {
        id: reply.id,
        ..Default::default()
    };
    let status = client.retry_reply(retry).await.expect_err("it was cancelled");
    assert_eq!(reason(&status), "REPLY_STATE_INVALID");
    instance.stop().await;
}

#[tokio::test]
async fn confirmation_needs_its_scope_and_defaults_to_dry_run() {
    let (instance, mut client, thread_id) = start().await;
    let mut writer = client_with(&instance, &[Scope::InboxRead, Scope::InboxSend]).await;
    let request = v1::SendReplyRequest {
        manual: true,
        ..to_send(&thread_id, "Yes")
    };
    let reply = send(&mut writer, request).await.expect("waits");
    assert_eq!(reply.state(), State::AwaitingConfirmation);
    assert!(reply.confirmation.is_none());
    assert!(get(&mut writer, &reply.id).await.confirmation.is_none());

    let confirmation = get(&mut client, &reply.id).await.confirmation;
    let confirm = v1::ConfirmReplyRequest {
        id: reply.id.clone(),
        confirmation,
        ..Default::default()
    };
    let status = writer.confirm_reply(confirm.clone()).await.expect_err("may not");
    assert_eq!(status.code(), Code::PermissionDenied);
    let dry = client
        .confirm_reply(confirm.clone())
        .await
        .expect("would do")
        .into_inner();
    assert_eq!(dry.reply.expect("a reply").state(), State::AwaitingConfirmation);
    let real = v1::ConfirmReplyRequest {
        dry_run: Some(false),
        ..confirm
    };
    let queued = client
        .confirm_reply(real.clone())
        .await
        .expect("is queued")
        .into_inner();
    assert_eq!(queued.reply.expect("a reply").state(), State::Queued);
    let status = client.confirm_reply(real).await.expect_err("was used");
    assert_eq!(reason(&status), "CONFIRMATION_USED");
    instance.stop().await;
}

#[tokio::test]
async fn reply_of_another_workspace_is_not_found_by_any_call() {
    let (instance, mut client, thread_id) = start().await;
    let id = send(&mut client, to_send(&thread_id, "Yes"))
        .await
        .expect("is queued")
        .id;
    let mut other = InboxServiceClient::new(stranger(&instance).await);
    let request_id = String::new;
    let not_sent = v1::resolve_reply_request::Outcome::NotSent(v1::resolve_reply_request::NotSent {});
    let answers = [
        other.send_reply(to_send(&thread_id, "Mine")).await.map(drop),
        other
            .get_reply(v1::GetReplyRequest { id: id.clone() })
            .await
            .map(drop),
        other
            .confirm_reply(v1::ConfirmReplyRequest {
                id: id.clone(),
                ..Default::default()
            })
            .await
            .map(drop),
        other
            .cancel_reply(v1::CancelReplyRequest {
                id: id.clone(),
                request_id: request_id(),
            })
            .await
            .map(drop),
        other
            .retry_reply(v1::RetryReplyRequest {
                id: id.clone(),
                request_id: request_id(),
            })
            .await
            .map(drop),
        other
            .resolve_reply(v1::ResolveReplyRequest {
                id,
                request_id: request_id(),
                outcome: Some(not_sent),
            })
            .await
            .map(drop),
    ];
    for (at, answer) in answers.into_iter().enumerate() {
        let status = answer.expect_err("is refused");
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::NotFound, "NOT_FOUND"),
            "{at}"
        );
    }
    let listed = other
        .list_replies(v1::ListRepliesRequest::default())
        .await
        .expect("lists");
    assert!(listed.into_inner().replies.is_empty());
    instance.stop().await;
}
