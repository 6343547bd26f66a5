//! Watches that survive cut connections.

use std::collections::HashMap;
use std::time::Duration;

use futures::TryStreamExt as _;
use prost::Message as _;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tonic::{Code, Status};
use vintedbot_sdk::v1::watch_response::{Checkpoint, Message};
use vintedbot_sdk::v1::{Event, GetPublishJobResponse, PublishJob, WatchRequest, WatchResponse, publish_job};
use vintedbot_sdk::{Client, ErrorReason};

use crate::server::{Answer, Server, refusal};

fn checkpoint(sequence: u64) -> Vec<u8> {
    message(sequence, Message::Checkpoint(Checkpoint { sequence }))
}

fn event(sequence: u64) -> Vec<u8> {
    message(
        sequence,
        Message::Event(Event {
            sequence,
            ..Default::default()
        }),
    )
}

fn message(sequence: u64, message: Message) -> Vec<u8> {
    WatchResponse {
        cursor: sequence.to_string(),
        message: Some(message),
    }
    .encode_to_vec()
}

/// Returns the sequences of all events up to number `last`, in the order of arrival.
async fn events(client: &Client, cursor: &str, last: u64) -> Vec<u64> {
    let request = WatchRequest {
        cursor: cursor.to_owned(),
        ..Default::default()
    };
    let mut watch = client.events().watch(request);
    let mut seen = Vec::new();
    while seen.last() != Some(&last) {
        let message = watch
            .try_next()
            .await
            .expect("a cut is not an error")
            .expect("it does not end");
        if let Message::Event(event) = message {
            seen.push(event.sequence);
            assert_eq!(watch.cursor(), event.sequence.to_string());
        }
    }
    seen
}

#[tokio::test]
async fn cut_watch_yields_each_event_once_in_order() {
    const LAST: u64 = 60;
    for seed in 0..8 {
        let server = Server::start(move |number, call| {
            let mut chance = StdRng::seed_from_u64(seed * 1_000 + number as u64);
            let from = call.message::<WatchRequest>().cursor.parse().unwrap_or(0);
            let count = chance.random_range(0..12);
            let events = (from + 1..=LAST).take(count).map(event);
            let messages: Vec<_> = if chance.random_bool(0.5) {
                std::iter::once(checkpoint(from)).chain(events).collect()
            } else {
                events.collect()
            };
            match chance.random_range(0..4) {
                0 => Answer::Messages(messages),
                1 if messages.is_empty() => refusal(Code::Unavailable, ErrorReason::Unavailable, |_| {}),
                2 if messages.is_empty() => Answer::Refusal(Status::unknown("a proxy")),
                _ => Answer::Cut(messages),
            }
        })
        .await;
        let seen = events(&server.client(), "", LAST).await;
        assert_eq!(seen, (1..=LAST).collect::<Vec<_>>(), "seed {seed}");
    }
}

#[tokio::test]
async fn new_watch_starts_at_a_stored_cursor() {
    let server = Server::start(|_, call| {
        let from = call.message::<WatchRequest>().cursor.parse().unwrap_or(0);
        Answer::Messages((from + 1..=9).map(event).collect())
    })
    .await;
    assert_eq!(events(&server.client(), "6", 9).await, [7, 8, 9]);
}

#[tokio::test]
async fn expired_cursor_is_reported_once_and_ends_the_watch() {
    let server = Server::start(|number, _| match number {
        1 => Answer::Messages(vec![event(1)]),
        _ => refusal(Code::OutOfRange, ErrorReason::CursorExpired, |_| {}),
    })
    .await;
    let mut watch = server.client().events().watch(WatchRequest::default());
    assert!(watch.try_next().await.expect("the event").is_some());
    let error = watch.try_next().await.expect_err("the place is gone");
    assert!(error.is_cursor_expired());
    assert!(watch.try_next().await.expect("it has ended").is_none());
    assert_eq!(server.calls().len(), 2);
}

#[tokio::test]
async fn revoked_token_ends_the_watch() {
    let server =
        Server::start(|_, _| refusal(Code::Unauthenticated, ErrorReason::TokenInvalid, |_| {})).await;
    let error = server
        .client()
        .events()
        .watch(WatchRequest::default())
        .try_next()
        .await;
    assert_eq!(
        error.expect_err("it is refused").reason(),
        ErrorReason::TokenInvalid
    );
    assert_eq!(server.calls().len(), 1);
}

#[tokio::test]
async fn answer_of_a_proxy_does_not_end_the_watch() {
    let server = Server::start(|number, _| match number {
        1 => Answer::Refusal(Status::unauthenticated("a proxy")),
        2 => Answer::Refusal(Status::permission_denied("a proxy")),
        3 => Answer::Refusal(Status::unimplemented("a proxy's 404")),
        _ => Answer::Messages(vec![event(1)]),
    })
    .await;
    assert_eq!(events(&server.client(), "", 1).await, [1]);
    assert_eq!(server.calls().len(), 4);
}

#[tokio::test]
async fn silent_watch_reconnects_from_its_cursor() {
    let server = Server::start(|number, _| match number {
        1 => Answer::Messages(vec![event(5)]),
        2 => Answer::Silence,
        _ => Answer::Messages(vec![event(6)]),
    })
    .await;
    let client = server.client_with_silence(Duration::from_millis(200));
    assert_eq!(events(&client, "", 6).await, [5, 6]);
    assert_eq!(server.calls()[2].message::<WatchRequest>().cursor, "5");
}

#[tokio::test]
async fn unknown_message_is_skipped_but_its_cursor_counts() {
    let unknown = WatchResponse {
        cursor: "5".into(),
        message: None,
    }
    .encode_to_vec();
    let server = Server::start(move |number, _| match number {
        1 => Answer::Messages(vec![unknown.clone()]),
        _ => Answer::Messages(vec![event(6)]),
    })
    .await;
    assert_eq!(events(&server.client(), "", 6).await, [6]);
    assert_eq!(server.calls()[1].message::<WatchRequest>().cursor, "5");
}

#[tokio::test]
async fn job_wait_ends_when_the_job_needs_a_person() {
    let states = [
        publish_job::State::Queued,
        publish_job::State::Preparing,
        publish_job::State::AwaitingConfirmation,
    ];
    let asked = std::sync::Mutex::new(HashMap::<String, usize>::new());
    let server = Server::start(move |_, call| {
        let mut asked = asked.lock().expect("no test panics with it");
        let times = asked.entry(call.method.clone()).or_default();
        *times += 1;
        match call.method.as_str() {
            "EventService/Watch" => {
                let change = |n| Event {
                    sequence: n,
                    resource_id: "j".into(),
                    ..Default::default()
                };
                Answer::Messages((1..=3).map(|n| message(n, Message::Event(change(n)))).collect())
            }
            _ => {
                let mut job = PublishJob {
                    id: "j".into(),
                    ..Default::default()
                };
                job.set_state(states[(*times - 1).min(2)]);
                Answer::message(&GetPublishJobResponse {
                    publish_job: Some(job),
                })
            }
        }
    })
    .await;
    let job = server.client().publish().settled("j").await.expect("it settles");
    assert_eq!(job.state(), publish_job::State::AwaitingConfirmation);
}
