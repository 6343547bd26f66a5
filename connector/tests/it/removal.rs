//! Removal of a conversation from the account's inbox, also when the site misbehaves.

use serde_json::{Value, json};
use vintedbot_marketplace::challenge::Kind;
use vintedbot_marketplace::{Error, Inbox as _, WriteError};

use crate::inbox::Fixture;
use crate::site::{Allowed, Forbidden};

async fn remove(fixture: &Fixture) -> Result<(), WriteError> {
    fixture
        .connector
        .remove_conversation(&fixture.account_context, &Allowed, &fixture.conversation_id)
        .await
}

async fn removals(fixture: &Fixture) -> usize {
    fixture.site.records("conversation_deleted").await.len()
}

#[tokio::test]
async fn removal_succeeds_also_for_a_missing_conversation() {
    let fixture = Fixture::open().await;
    for _ in 0..2 {
        remove(&fixture).await.expect("it is gone");
        assert_eq!(removals(&fixture).await, 1);
    }
    let read = fixture
        .connector
        .conversation(&fixture.account_context, &fixture.conversation_id)
        .await;
    assert!(read.expect("answers").is_none());
    let page = fixture
        .connector
        .inbox_page(&fixture.account_context, 1)
        .await
        .expect("a page");
    assert!(page.rows.is_empty());
}

#[tokio::test]
async fn late_removal_or_invalid_id_sends_no_request() {
    let fixture = Fixture::open().await;
    let late = fixture
        .connector
        .remove_conversation(&fixture.account_context, &Forbidden, &fixture.conversation_id)
        .await;
    assert!(matches!(late, Err(WriteError::NotSent(_))), "{late:?}");
    for id in ["", "../items/1", "1?x=2"] {
        let odd = fixture
            .connector
            .remove_conversation(&fixture.account_context, &Allowed, id)
            .await;
        assert!(matches!(odd, Err(WriteError::NotSent(_))), "{odd:?}");
    }
    assert_eq!(removals(&fixture).await, 0);
}

#[tokio::test]
async fn unclear_removal_answer_leaves_the_outcome_unknown() {
    let answer = |status: u16, json: Value| json!({ "answer": { "status": status, "json": json } });
    for (action, done) in [
        (json!({ "accept_then_500": true }), 1),
        (json!({ "accept_then_cut": true }), 1),
        (answer(502, json!({ "code": 1 })), 0),
        (answer(400, json!({ "code": 99, "message": "no" })), 0),
        (answer(200, json!({ "code": "105" })), 0),
        (answer(200, json!([])), 0),
    ] {
        let fixture = Fixture::open().await;
        fixture.script("delete_conversation", action.clone()).await;
        let answered = remove(&fixture).await;
        assert!(
            matches!(answered, Err(WriteError::Unknown(_))),
            "{action}: {answered:?}"
        );
        assert_eq!(removals(&fixture).await, done, "{action}");
    }
}

#[tokio::test]
async fn challenge_on_removal_is_reported() {
    let fixture = Fixture::open().await;
    fixture
        .script("delete_conversation", json!({ "challenge": "bot_check_on_call" }))
        .await;
    match remove(&fixture).await {
        Err(WriteError::Unknown(Error::Challenge { verdict, .. })) => {
            assert_eq!(verdict.kind, Kind::CaptchaOnCall);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(removals(&fixture).await, 0);
}
