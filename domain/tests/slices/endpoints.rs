//! The limit on webhook endpoints per workspace, and how their URLs are stored.

use async_trait::async_trait;
use futures::future::join_all;
use vintedbot_domain::Reason;
use vintedbot_domain::webhooks::{
    self, Answer, CreatedEndpoint, EndpointInput, NewEndpoint, Sent, Targets, UpdateEndpoint,
};

use sea_orm::{ConnectionTrait as _, EntityTrait as _, Statement};
use vintedbot_domain::store::entities::{events, webhook_attempts, webhook_endpoints};

use crate::postgres::Postgres;
use crate::support::{World, reason, request_id};

#[derive(Debug)]
struct Anywhere;

#[async_trait]
impl Targets for Anywhere {
    async fn check(&self, _: &str) -> Result<(), String> {
        Ok(())
    }
}

async fn make(world: &World, request_id: Option<String>) -> vintedbot_domain::Result<CreatedEndpoint> {
    make_at(world, "https://example.org/hooks", request_id).await
}

async fn make_at(
    world: &World,
    url: &str,
    request_id: Option<String>,
) -> vintedbot_domain::Result<CreatedEndpoint> {
    let new = NewEndpoint {
        endpoint: EndpointInput {
            url: url.to_owned(),
            ..EndpointInput::default()
        },
        secret: None,
        request_id,
    };
    webhooks::create(&world.context, &world.caller, &Anywhere, new).await
}

async fn concurrent_endpoints_are_limited_to_a_hundred(world: World) {
    let made = join_all((0..98).map(|_| make(&world, None))).await;
    assert!(made.iter().all(Result::is_ok));
    // Six concurrent creations compete for two places. Each is sent twice with one request id. Both calls of a
    // successful id get an answer.
    let ids: Vec<_> = (0..6).map(|_| request_id()).collect();
    let twice = ids.iter().chain(&ids).map(|id| make(&world, id.clone()));
    let mut made = join_all(twice).await;
    let again = made.split_off(6);
    let mut places = 0;
    for (first, second) in made.into_iter().zip(again) {
        match (first, second) {
            (Ok(first), Ok(second)) => {
                assert_eq!(first.endpoint.id, second.endpoint.id);
                places += 1;
            }
            (first, second) => {
                assert_eq!(reason(first), Some(Reason::TooManyWebhookEndpoints));
                assert_eq!(reason(second), Some(Reason::TooManyWebhookEndpoints));
            }
        }
    }
    assert_eq!(places, 2);
}

#[tokio::test]
async fn workspace_has_at_most_100_endpoints() {
    concurrent_endpoints_are_limited_to_a_hundred(World::new().await).await;
}

#[tokio::test]
async fn workspace_has_at_most_100_endpoints_on_postgresql() {
    let server = Postgres::start().await.expect("starts");
    concurrent_endpoints_are_limited_to_a_hundred(World::on(&server.url()).await).await;
    server.stop().await.expect("ends");
}

/// Returns everything that the database stores about endpoints, attempts and events.
async fn stored(world: &World) -> String {
    let reader = world.context.store.reader();
    let endpoints = webhook_endpoints::Entity::find()
        .all(reader)
        .await
        .expect("reads");
    let attempts = webhook_attempts::Entity::find().all(reader).await.expect("reads");
    let events = events::Entity::find().all(reader).await.expect("reads");
    format!("{endpoints:?} {attempts:?} {events:?}")
}

#[tokio::test]
async fn endpoint_url_query_is_sealed_and_never_shown() {
    const URL: &str = "https://example.org/hooks?key=hunter2";
    const SHOWN: &str = "https://example.org/hooks?***";
    let world = World::new().await;
    let (context, caller) = (&world.context, &world.caller);
    let made = make_at(&world, URL, None).await.expect("is made").endpoint;
    assert_eq!(made.url, SHOWN);
    let id = made.id.as_str();
    let send = async || {
        webhooks::send_test(context, caller, id, None)
            .await
            .expect("is sent");
        let mut claims = webhooks::claim(context, id, 1, 1_000).await.expect("claims");
        let claim = claims.pop().expect("is due");
        let sent = Sent {
            time: 1,
            duration_ms: 1,
            request_headers: Vec::new(),
            outcome: Ok(Answer {
                status: 200,
                ..Answer::default()
            }),
        };
        assert!(!format!("{claim:?}").contains("hunter2"));
        webhooks::record(&context.store, &claim, sent)
            .await
            .expect("writes");
        claim.url
    };
    assert_eq!(send().await, URL, "it is sent to the whole address");
    assert!(!stored(&world).await.contains("hunter2"));

    let change = async |url: &str| {
        let update = UpdateEndpoint {
            id: id.to_owned(),
            endpoint: EndpointInput {
                url: url.to_owned(),
                ..EndpointInput::default()
            },
            ..UpdateEndpoint::default()
        };
        let changed = webhooks::update(context, caller, &Anywhere, update).await;
        changed.expect("is changed").url
    };
    assert_eq!(change(SHOWN).await, SHOWN);
    assert_eq!(send().await, URL, "the redacted URL stands for the stored URL");
    assert_eq!(
        change("https://example.org/new?key=hunter2b").await,
        "https://example.org/new?***"
    );
    assert_eq!(send().await, "https://example.org/new?key=hunter2b");
    assert!(!stored(&world).await.contains("hunter2"));

    // An earlier version stored the URL like this.
    let sql = "UPDATE webhook_endpoints SET url = $1, sealed_query = NULL";
    let writer = context.store.writer();
    let statement = Statement::from_sql_and_values(writer.get_database_backend(), sql, [URL.into()]);
    writer.execute_raw(statement).await.expect("is written");
    assert_eq!(
        webhooks::get(context, caller, id).await.expect("is there").url,
        SHOWN
    );
    assert_eq!(send().await, URL);
    assert!(!stored(&world).await.contains("hunter2"));
}
