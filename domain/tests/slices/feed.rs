//! Watched logs, where nothing hints that they grew: as when another process wrote.

use std::time::Duration;

use tokio::sync::broadcast::Receiver;
use tokio::time::{sleep, timeout};
use vintedbot_domain::events::{self, Wake};
use vintedbot_domain::inbox::{self, NewTemplate};

use crate::support::World;

/// Until an event has come.
async fn event(wakes: &mut Receiver<Wake>) -> i64 {
    let come = async {
        loop {
            if let Wake::Event(event) = wakes.recv().await.expect("the tailer is there") {
                return event.sequence;
            }
        }
    };
    timeout(Duration::from_secs(30), come).await.expect("it comes")
}

/// Until the tailer knows where it is.
async fn is_tailed(wakes: &mut Receiver<Wake>) {
    let first = timeout(Duration::from_secs(30), wakes.recv()).await;
    assert!(matches!(first, Ok(Ok(Wake::Reread))), "{first:?}");
}

async fn happens(world: &World, name: &str) -> i64 {
    let new = NewTemplate {
        name: name.to_owned(),
        text: "Hello".to_owned(),
        request_id: None,
    };
    let made = inbox::create_template(&world.domain, &world.caller, new).await;
    made.expect("a template").sequence
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_hinted_at_is_found() {
    let world = World::new().await;
    let (feed, store) = (&world.domain.feed, &world.domain.store);
    let mut wakes = feed.subscribe(store, &world.caller.owner_id);
    is_tailed(&mut wakes).await;
    for name in ["one", "two"] {
        let sequence = happens(&world, name).await;
        assert_eq!(event(&mut wakes).await, sequence);
    }

    // Nobody watches for a while, and whoever looks for hints has gone.
    drop(wakes);
    sleep(Duration::from_millis(2_500)).await;
    happens(&world, "three").await;
    let mut wakes = feed.subscribe(store, &world.caller.owner_id);
    is_tailed(&mut wakes).await;
    let sequence = happens(&world, "four").await;
    assert_eq!(event(&mut wakes).await, sequence);
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_are_read_together() {
    let world = World::new().await;
    let sequence = happens(&world, "one").await;
    let owner_id = world.caller.owner_id.as_str();
    let many: Vec<String> = (0..2_500).map(|number| format!("nobody {number}")).collect();
    let mut ids: Vec<&str> = many.iter().map(String::as_str).collect();
    ids.push(owner_id);
    let heads = events::heads(&world.domain.store, &ids).await.expect("heads");
    assert_eq!(heads, [(owner_id.to_owned(), sequence)]);
}
