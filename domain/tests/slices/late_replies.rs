//! What was settled as not sent and appears all the same.

use vintedbot_domain::Reason;
use vintedbot_domain::events::Kind;
use vintedbot_domain::inbox::replies::outcome::{self, Next, TRACELESS};
use vintedbot_domain::inbox::replies::{self, Resolution};
use vintedbot_domain::inbox::{Reply, ReplyState};

use super::inbox_sync::{BUYER, conversation, says, store};
use super::reply_desk::ReplyDesk;

const ME: &str = "100";

/// Sends once; the effect's id.
async fn attempted(desk: &ReplyDesk) -> (vintedbot_domain::jobs::Claim, String) {
    desk.world.clock.advance(10_000);
    let (claim, work) = desk.next_to_send().await;
    let intent = desk.intend(&claim, &work).await.expect("is let through");
    outcome::unconfirmed(&desk.world.domain, &intent.effect_id, false, "cut")
        .await
        .expect("is noted");
    (claim, intent.effect_id)
}

async fn reads(desk: &ReplyDesk, texts: &[(&str, &str, &str)]) {
    let entries = texts.iter().enumerate();
    let entries = entries.map(|(at, (member, id, text))| says(member, at as i64, id, text));
    store(
        &desk.world,
        &desk.account,
        None,
        &conversation(false, entries.collect()),
    )
    .await;
}

async fn warnings(desk: &ReplyDesk) -> usize {
    let events = desk.world.events().await;
    let warnings = events
        .iter()
        .filter(|event| event.kind == Kind::ReplyPossibleDuplicate);
    warnings.count()
}

/// Sent twice because the first left no trace, and SENT as message 6.
async fn sent_twice(desk: &ReplyDesk) -> Reply {
    let reply = desk.send("Yes").await;
    let (claim, first) = attempted(desk).await;
    outcome::not_sent(&desk.world.domain, &first, TRACELESS)
        .await
        .expect("is settled");
    desk.conclude(&claim, Next::AsItIs).await;
    let (claim, second) = attempted(desk).await;
    // A reading that shows a message while the second is undecided says nothing about the first.
    reads(desk, &[(BUYER, "1", "Message 1"), (ME, "6", "Yes")]).await;
    assert_eq!(warnings(desk).await, 0);
    outcome::delivered(&desk.world.domain, &second, Some("6"), "read")
        .await
        .expect("is settled");
    desk.conclude(&claim, Next::AsItIs).await;
    desk.get(&reply.id).await
}

#[tokio::test]
async fn the_first_of_two_sendings_that_shows_late_is_said_once() {
    let desk = ReplyDesk::open().await;
    let reply = sent_twice(&desk).await;
    assert_eq!((reply.state, reply.reason), (ReplyState::Sent, None));
    let known = [(BUYER, "1", "Message 1"), (ME, "6", "Yes")];
    reads(&desk, &known).await;
    assert_eq!(
        warnings(&desk).await,
        0,
        "the second's own message is no duplicate"
    );
    let [buyer, second] = known;
    for _ in 0..2 {
        reads(&desk, &[buyer, (ME, "5", "Yes"), second]).await;
        let told = desk.get(&reply.id).await;
        assert_eq!(
            (told.state, told.reason, warnings(&desk).await),
            (ReplyState::Sent, Some(Reason::PossibleDuplicate), 1)
        );
        assert!(told.message.contains("appeared after"), "{}", told.message);
    }
}

#[tokio::test]
async fn other_words_and_other_people_are_no_duplicates_nor_is_what_comes_after_a_week() {
    let desk = ReplyDesk::open().await;
    let reply = sent_twice(&desk).await;
    let others = [
        (BUYER, "1", "Message 1"),
        (ME, "6", "Yes"),
        (ME, "7", "Yes, but"),
        (BUYER, "8", "Yes"),
    ];
    reads(&desk, &others).await;
    desk.world.clock.advance(desk.world.domain.settings.watch_ms);
    reads(
        &desk,
        &[others[0], others[1], others[2], others[3], (ME, "9", "Yes")],
    )
    .await;
    assert_eq!(
        (desk.get(&reply.id).await.reason, warnings(&desk).await),
        (None, 0)
    );
}

#[tokio::test]
async fn what_a_person_believed_not_to_be_sent_is_watched_for_too() {
    let desk = ReplyDesk::open().await;
    let reply = desk.send("Yes").await;
    let (claim, _) = attempted(&desk).await;
    let ask = Next::Ask {
        reason: Reason::OutcomeUnknown,
        message: "look".to_owned(),
    };
    desk.conclude(&claim, ask).await;
    let (domain, caller) = (&desk.world.domain, &desk.world.caller);
    replies::resolve(domain, caller, &reply.id, Resolution::NotSent, None)
        .await
        .expect("is settled");
    reads(&desk, &[(BUYER, "1", "Message 1"), (ME, "5", " yes ")]).await;
    let told = desk.get(&reply.id).await;
    assert_eq!(
        (told.state, told.reason),
        (ReplyState::Failed, Some(Reason::PossibleDuplicate))
    );
}
