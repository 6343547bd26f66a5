//! Removing a conversation from the account's inbox, on a site that is not always kind.

use serde_json::{Value, json};
use vintedbot_marketplace::challenge::Kind;
use vintedbot_marketplace::{Error, Inbox as _, WriteError};

use crate::inbox::Desk;
use crate::site::{Allowed, Forbidden};

async fn remove(desk: &Desk) -> Result<(), WriteError> {
    desk.connector
        .remove_conversation(&desk.seat, &Allowed, &desk.conversation_id)
        .await
}

async fn removals(desk: &Desk) -> usize {
    desk.site.records("conversation_deleted").await.len()
}

#[tokio::test]
async fn a_conversation_is_removed_for_the_account_and_one_that_is_gone_is_removed() {
    let desk = Desk::open().await;
    for _ in 0..2 {
        remove(&desk).await.expect("it is gone");
        assert_eq!(removals(&desk).await, 1);
    }
    let read = desk
        .connector
        .conversation(&desk.seat, &desk.conversation_id)
        .await;
    assert!(read.expect("answers").is_none());
    let page = desk.connector.inbox_page(&desk.seat, 1).await.expect("a page");
    assert!(page.rows.is_empty());
}

#[tokio::test]
async fn nothing_is_asked_when_its_time_is_over_or_the_id_is_none() {
    let desk = Desk::open().await;
    let late = desk
        .connector
        .remove_conversation(&desk.seat, &Forbidden, &desk.conversation_id)
        .await;
    assert!(matches!(late, Err(WriteError::NotSent(_))), "{late:?}");
    for id in ["", "../items/1", "1?x=2"] {
        let odd = desk.connector.remove_conversation(&desk.seat, &Allowed, id).await;
        assert!(matches!(odd, Err(WriteError::NotSent(_))), "{odd:?}");
    }
    assert_eq!(removals(&desk).await, 0);
}

#[tokio::test]
async fn what_is_not_a_yes_leaves_the_outcome_open() {
    let answer = |status: u16, json: Value| json!({ "answer": { "status": status, "json": json } });
    for (action, done) in [
        (json!({ "accept_then_500": true }), 1),
        (json!({ "accept_then_cut": true }), 1),
        (answer(502, json!({ "code": 1 })), 0),
        (answer(400, json!({ "code": 99, "message": "no" })), 0),
        (answer(200, json!({ "code": "105" })), 0),
        (answer(200, json!([])), 0),
    ] {
        let desk = Desk::open().await;
        desk.script("delete_conversation", action.clone()).await;
        let answered = remove(&desk).await;
        assert!(
            matches!(answered, Err(WriteError::Unknown(_))),
            "{action}: {answered:?}"
        );
        assert_eq!(removals(&desk).await, done, "{action}");
    }
}

#[tokio::test]
async fn a_challenge_is_told_as_one() {
    let desk = Desk::open().await;
    desk.script("delete_conversation", json!({ "challenge": "bot_check_on_call" }))
        .await;
    match remove(&desk).await {
        Err(WriteError::Unknown(Error::Challenge { verdict, .. })) => {
            assert_eq!(verdict.kind, Kind::CaptchaOnCall);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(removals(&desk).await, 0);
}
