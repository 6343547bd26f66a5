//! How many webhook endpoints an owner may have.

use async_trait::async_trait;
use futures::future::join_all;
use vintedbot_domain::Reason;
use vintedbot_domain::webhooks::{self, CreatedEndpoint, EndpointInput, NewEndpoint, Targets};

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
    let new = NewEndpoint {
        endpoint: EndpointInput {
            url: "https://example.org/hooks".to_owned(),
            ..EndpointInput::default()
        },
        secret: None,
        request_id,
    };
    webhooks::create(&world.domain, &world.caller, &Anywhere, new).await
}

async fn of_many_at_once_there_are_a_hundred(world: World) {
    let made = join_all((0..98).map(|_| make(&world, None))).await;
    assert!(made.iter().all(Result::is_ok));
    // Six at once for two places, each asked for twice under one id: whoever is in has both answers.
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
async fn an_owner_has_a_hundred_endpoints() {
    of_many_at_once_there_are_a_hundred(World::new().await).await;
}

#[tokio::test]
async fn an_owner_has_a_hundred_endpoints_on_postgresql() {
    let server = Postgres::start().await.expect("starts");
    of_many_at_once_there_are_a_hundred(World::on(&server.url()).await).await;
    server.stop().await.expect("ends");
}
