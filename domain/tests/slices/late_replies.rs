//! Messages that were settled as `NOT_DONE` and appear on the site later.

use vintedbot_domain::Reason;
use vintedbot_domain::events::Kind;
use vintedbot_domain::inbox::replies::outcome::{self, FollowUp, NO_EFFECT_OBSERVED};
use vintedbot_domain::inbox::replies::{self, Resolution};
use vintedbot_domain::inbox::{Reply, ReplyState};

use super::inbox_sync::{BUYER, conversation, message_entry, store};
use super::reply_fixture::ReplyFixture;

const ME: &str = "100";

/// Attempts one send. Returns the claim and the id of the effect.
async fn attempted(fixture: &ReplyFixture) -> (vintedbot_domain::jobs::Claim, String) {
    fixture.world.clock.advance(10_000);
    let (claim, work) = fixture.next_to_send().await;
    let intent = fixture
        .intend(&claim, &work)
        .await
        .expect("the intent is committed");
    outcome::unconfirmed(&fixture.world.context, &intent.effect_id, false, "cut")
        .await
        .expect("is noted");
    (claim, intent.effect_id)
}

async fn reads(fixture: &ReplyFixture, texts: &[(&str, &str, &str)]) {
    let entries = texts.iter().enumerate();
    let entries = entries.map(|(at, (member, id, text))| message_entry(member, at as i64, id, text));
    store(
        &fixture.world,
        &fixture.account,
        None,
        &conversation(false, entries.collect()),
    )
    .await;
}

async fn warnings(fixture: &ReplyFixture) -> usize {
    let events = fixture.world.events().await;
    let warnings = events
        .iter()
        .filter(|event| event.kind == Kind::ReplyPossibleDuplicate);
    warnings.count()
}

/// Returns a reply that was sent twice because the first send left no trace. Its state is SENT, as message 6.
async fn sent_twice(fixture: &ReplyFixture) -> Reply {
    let reply = fixture.send("Yes").await;
    let (claim, first) = attempted(fixture).await;
    outcome::not_sent(&fixture.world.context, &first, NO_EFFECT_OBSERVED)
        .await
        .expect("is settled");
    fixture.conclude(&claim, FollowUp::NoChange).await;
    let (claim, second) = attempted(fixture).await;
    // A reading that shows a message while the second send is in doubt says nothing about the first send.
    reads(fixture, &[(BUYER, "1", "Message 1"), (ME, "6", "Yes")]).await;
    assert_eq!(warnings(fixture).await, 0);
    outcome::delivered(&fixture.world.context, &second, Some("6"), "read")
        .await
        .expect("is settled");
    fixture.conclude(&claim, FollowUp::NoChange).await;
    fixture.get(&reply.id).await
}

#[tokio::test]
async fn late_first_send_is_reported_once_as_duplicate() {
    let fixture = ReplyFixture::open().await;
    let reply = sent_twice(&fixture).await;
    assert_eq!((reply.state, reply.reason), (ReplyState::Sent, None));
    let known = [(BUYER, "1", "Message 1"), (ME, "6", "Yes")];
    reads(&fixture, &known).await;
    assert_eq!(
        warnings(&fixture).await,
        0,
        "the message of the second send is not a duplicate"
    );
    let [buyer, second] = known;
    for _ in 0..2 {
        reads(&fixture, &[buyer, (ME, "5", "Yes"), second]).await;
        let shown = fixture.get(&reply.id).await;
        assert_eq!(
            (shown.state, shown.reason, warnings(&fixture).await),
            (ReplyState::Sent, Some(Reason::PossibleDuplicate), 1)
        );
        assert!(shown.message.contains("appeared after"), "{}", shown.message);
    }
}

#[tokio::test]
async fn other_messages_and_late_ones_are_no_duplicates() {
    let fixture = ReplyFixture::open().await;
    let reply = sent_twice(&fixture).await;
    let others = [
        (BUYER, "1", "Message 1"),
        (ME, "6", "Yes"),
        (ME, "7", "Yes, but"),
        (BUYER, "8", "Yes"),
    ];
    reads(&fixture, &others).await;
    fixture
        .world
        .clock
        .advance(fixture.world.context.settings.effects.watch_ms);
    reads(
        &fixture,
        &[others[0], others[1], others[2], others[3], (ME, "9", "Yes")],
    )
    .await;
    assert_eq!(
        (fixture.get(&reply.id).await.reason, warnings(&fixture).await),
        (None, 0)
    );
}

#[tokio::test]
async fn reply_resolved_as_not_sent_is_watched_for_duplicates() {
    let fixture = ReplyFixture::open().await;
    let reply = fixture.send("Yes").await;
    let (claim, _) = attempted(&fixture).await;
    let ask = FollowUp::Ask {
        reason: Reason::OutcomeUnknown,
        message: "look".to_owned(),
    };
    fixture.conclude(&claim, ask).await;
    let (context, caller) = (&fixture.world.context, &fixture.world.caller);
    replies::resolve(context, caller, &reply.id, Resolution::NotSent, None)
        .await
        .expect("is settled");
    reads(&fixture, &[(BUYER, "1", "Message 1"), (ME, "5", " Yes ")]).await;
    let shown = fixture.get(&reply.id).await;
    assert_eq!(
        (shown.state, shown.reason),
        (ReplyState::Failed, Some(Reason::PossibleDuplicate))
    );
}
