//! Watched logs that grow without a hint, as when another process writes.

use std::time::Duration;

use tokio::sync::broadcast::Receiver;
use tokio::time::{sleep, timeout};
use vintedbot_domain::events::{self, Wake};
use vintedbot_domain::inbox::{self, NewTemplate};

use crate::support::World;

/// Waits for an event and returns its sequence.
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

/// Waits until the tailer knows its position.
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
    let made = inbox::create_template(&world.context, &world.caller, new).await;
    made.expect("a template").sequence
}

#[tokio::test(flavor = "multi_thread")]
async fn event_without_a_hint_is_found() {
    let world = World::new().await;
    let (feed, store) = (&world.context.feed, &world.context.store);
    let mut wakes = feed.subscribe(store, &world.caller.workspace_id);
    is_tailed(&mut wakes).await;
    for name in ["one", "two"] {
        let sequence = happens(&world, name).await;
        assert_eq!(event(&mut wakes).await, sequence);
    }

    // For a while there is no watcher, and the hint reader has ended.
    drop(wakes);
    sleep(Duration::from_millis(2_500)).await;
    happens(&world, "three").await;
    let mut wakes = feed.subscribe(store, &world.caller.workspace_id);
    is_tailed(&mut wakes).await;
    let sequence = happens(&world, "four").await;
    assert_eq!(event(&mut wakes).await, sequence);
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_are_read_together() {
    let world = World::new().await;
    let sequence = happens(&world, "one").await;
    let workspace_id = world.caller.workspace_id.as_str();
    let many: Vec<String> = (0..2_500).map(|number| format!("nobody {number}")).collect();
    let mut ids: Vec<&str> = many.iter().map(String::as_str).collect();
    ids.push(workspace_id);
    let heads = events::heads(&world.context.store, &ids).await.expect("heads");
    assert_eq!(heads, [(workspace_id.to_owned(), sequence)]);
}
