//! People and their sessions in the stream of Watch.

use prost::Message as _;
use tonic::Streaming;
use vintedbot_domain::identity::Role;
use vintedbot_proto::v1;
use vintedbot_proto::v1::auth_service_client::AuthServiceClient;
use vintedbot_proto::v1::event_service_client::EventServiceClient;
use vintedbot_proto::v1::resource::Resource;
use vintedbot_proto::v1::watch_response::Message;

use crate::harness::{self, Connection};
use crate::people::{member, person, session};

async fn watch(connection: Connection, snapshot: bool) -> Streaming<v1::WatchResponse> {
    let request = v1::WatchRequest {
        snapshot,
        topics: vec![v1::Topic::People.into()],
        ..Default::default()
    };
    let mut events = EventServiceClient::new(connection);
    events.watch(request).await.expect("begins").into_inner()
}

/// Returns the emails of the people in a snapshot.
async fn people_in_snapshot(connection: Connection) -> Vec<String> {
    let mut stream = watch(connection, true).await;
    let mut emails = Vec::new();
    loop {
        let message = stream.message().await.expect("continues").expect("continues");
        match message.message {
            Some(Message::Snapshot(one)) => match one.resource.and_then(|resource| resource.resource) {
                Some(Resource::User(user)) => emails.push(user.email),
                other => panic!("{other:?}"),
            },
            _ => return emails,
        }
    }
}

#[tokio::test]
async fn snapshot_contains_people_for_people_only() {
    let instance = harness::start().await;
    let (_, viewer) = member(&instance, "anna@example.com", Role::Viewer).await;
    person(&instance, "ben@example.com", Role::Owner).await;
    assert_eq!(
        people_in_snapshot(viewer).await,
        ["anna@example.com", "ben@example.com"]
    );
    assert!(people_in_snapshot(instance.connect().await).await.is_empty());
    instance.stop().await;
}

#[tokio::test]
async fn ended_session_is_shown_to_its_person_only() {
    let instance = harness::start().await;
    let (_, owner) = member(&instance, "anna@example.com", Role::Owner).await;
    let (_, ended) = member(&instance, "ben@example.com", Role::Viewer).await;
    let other = session(&instance, "ben@example.com").await;
    let mut streams = Vec::new();
    for connection in [other, owner, instance.connect().await] {
        let mut stream = watch(connection, false).await;
        stream.message().await.expect("continues").expect("a checkpoint");
        streams.push(stream);
    }
    let signed_out = AuthServiceClient::new(ended)
        .sign_out(v1::SignOutRequest::default())
        .await;
    signed_out.expect("signs out");
    let mut shown = Vec::new();
    for stream in &mut streams {
        let message = stream.message().await.expect("continues").expect("an event");
        let Some(Message::Event(event)) = message.message else {
            panic!("{message:?}")
        };
        assert_eq!(event.kind(), v1::EventKind::UserSessionEnded);
        let resource = event.resource.expect("is not deleted");
        shown.push(resource.encoded_len() > 0);
    }
    assert_eq!(shown, [true, false, false]);
    drop(streams);
    instance.stop().await;
}
