//! Bad answers of the site to a reply and to the calls around it.

use std::time::Duration;

use serde_json::{Value, json};
use vintedbot_marketplace::challenge::Kind;
use vintedbot_marketplace::{Error, Inbox as _, OutgoingReply, WriteError};

use crate::inbox::Fixture;
use crate::site::{Allowed, photos};

fn answer(status: u16, json: Value) -> Value {
    json!({ "answer": { "status": status, "json": json } })
}

#[tokio::test]
async fn foreign_answer_to_a_reply_leaves_the_outcome_unknown() {
    let fixture = Fixture::open().await;
    let again = format!("/api/v2/conversations/{}/replies", fixture.conversation_id);
    let redirect = |status: u16| json!({ "answer": { "status": status, "json": {}, "location": again } });
    for (text, action) in [
        ("sent on", redirect(307)),
        ("sent on for good", redirect(308)),
        ("no code", answer(400, json!({ "message": "no" }))),
        (
            "unknown code",
            answer(400, json!({ "code": 999, "message": "no" })),
        ),
        (
            "its own fault",
            answer(400, json!({ "code": 105, "message": "no" })),
        ),
        ("a lock", answer(409, json!({ "code": 104, "message": "no" }))),
        (
            "a fault's status",
            answer(502, json!({ "code": 104, "message": "no" })),
        ),
        ("a list", answer(404, json!([]))),
        ("an odd code", answer(200, json!({ "code": "oops" }))),
        ("a code as text", answer(200, json!({ "code": "105" }))),
    ] {
        fixture.script("reply", action).await;
        let sent = fixture.send(text).await;
        assert!(matches!(sent, Err(WriteError::Unknown(_))), "{text}: {sent:?}");
        // The script applies once, so a followed redirect would have sent the reply.
        assert_eq!(fixture.taken(text).await, 0, "{text}");
    }
}

#[tokio::test]
async fn definite_error_code_is_a_refusal_with_its_message() {
    let fixture = Fixture::open().await;
    for (status, code, words) in [
        (404, json!(104), "does not know the thread"),
        (400, json!("116"), "no longer offers"),
        (422, json!(20), "transaction"),
    ] {
        fixture
            .script(
                "reply",
                answer(status, json!({ "code": code, "message": "in its words" })),
            )
            .await;
        match fixture.send("gone").await {
            Err(WriteError::Refused(error)) => {
                let shown = error.to_string();
                assert!(shown.contains(words) && shown.contains("in its words"), "{shown}");
            }
            other => panic!("{code}: {other:?}"),
        }
    }
    assert_eq!(fixture.taken("gone").await, 0);
}

#[tokio::test]
async fn success_without_a_message_id_counts_as_sent() {
    let fixture = Fixture::open().await;
    for code in [json!(0), json!("0")] {
        fixture
            .script("reply", answer(200, json!({ "code": code })))
            .await;
        assert_eq!(fixture.send("unnamed").await.expect("is sent"), None);
    }
}

#[tokio::test]
async fn late_answer_to_a_reply_leaves_the_outcome_unknown() {
    let fixture = Fixture::open().await;
    let hasty = fixture.site.with_request_timeout(Duration::from_secs(2));
    hasty
        .inbox_page(&fixture.account_context, 1)
        .await
        .expect("a page");
    fixture.script("reply", json!({ "answer_late_ms": 60_000 })).await;
    let sent = hasty
        .send_reply(&fixture.account_context, &Allowed, &fixture.reply("late"))
        .await;
    assert!(
        matches!(sent, Err(WriteError::Unknown(Error::Unavailable(_)))),
        "{sent:?}"
    );
    assert_eq!(fixture.taken("late").await, 1);
}

#[tokio::test]
async fn ended_session_sends_no_reply_and_next_read_renews_it() {
    let fixture = Fixture::open().await;
    fixture
        .script(
            "reply",
            answer(401, json!({ "code": 100, "message": "Invalid token" })),
        )
        .await;
    let sent = fixture.send("who?").await;
    assert!(
        matches!(sent, Err(WriteError::NotSent(Error::SessionBusy))),
        "{sent:?}"
    );
    assert_eq!(fixture.taken("who?").await, 0);
    let read = fixture
        .connector
        .conversation(&fixture.account_context, &fixture.conversation_id)
        .await;
    assert!(read.expect("renewed").is_some());
    assert!(fixture.send("who?").await.expect("is sent").is_some());
    assert_eq!(fixture.taken("who?").await, 1);
}

#[tokio::test]
async fn expired_token_is_renewed_before_every_inbox_call() {
    let fixture = Fixture::open().await;
    let account_context = &fixture.account_context;
    let settings = |seconds: u64| json!({ "access_token_ttl_s": seconds });
    for call in ["inbox", "conversation", "mark_read", "reply", "photo"] {
        // The token is valid for a second, and a new connector does the login.
        fixture.site.admin("POST", "settings", settings(1)).await;
        let connector = fixture.site.plain();
        connector.inbox_page(account_context, 1).await.expect("logged in");
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        fixture.site.admin("POST", "settings", settings(60)).await;
        match call {
            "inbox" => connector
                .inbox_page(account_context, 1)
                .await
                .map(drop)
                .expect(call),
            "conversation" => {
                let read = connector
                    .conversation(account_context, &fixture.conversation_id)
                    .await;
                assert!(read.expect(call).is_some());
            }
            "mark_read" => connector
                .mark_read(account_context, &fixture.conversation_id)
                .await
                .expect(call),
            "reply" => {
                // No answer of the site causes a second write. The next attempt reads first.
                let reply = fixture.reply("Bonjour");
                let sent = connector.send_reply(account_context, &Allowed, &reply).await;
                assert!(
                    matches!(sent, Err(WriteError::NotSent(Error::SessionBusy))),
                    "{sent:?}"
                );
                let read = connector
                    .conversation(account_context, &fixture.conversation_id)
                    .await;
                assert!(read.expect(call).is_some());
                let sent = connector.send_reply(account_context, &Allowed, &reply).await;
                assert!(sent.expect(call).is_some());
            }
            _ => {
                let reply = OutgoingReply {
                    photos: photos(1),
                    ..fixture.reply("Voilà")
                };
                let sent = connector.send_reply(account_context, &Allowed, &reply).await;
                assert!(sent.expect(call).is_some());
            }
        }
    }
    assert_eq!(
        (fixture.taken("Bonjour").await, fixture.taken("Voilà").await),
        (1, 1)
    );
}

#[tokio::test]
async fn failed_upload_sends_no_reply() {
    let fixture = Fixture::open().await;
    let reply = OutgoingReply {
        photos: photos(2),
        ..fixture.reply("with photos")
    };
    let send = || {
        fixture
            .connector
            .send_reply(&fixture.account_context, &Allowed, &reply)
    };
    fixture
        .script("photo", json!({ "challenge": "bot_check_on_call" }))
        .await;
    match send().await {
        Err(WriteError::NotSent(Error::Challenge { verdict, .. })) => {
            assert_eq!(verdict.kind, Kind::CaptchaOnCall);
        }
        other => panic!("{other:?}"),
    }
    // The site's own message about a photo is reported as a refusal, not as a request that was not sent.
    fixture
        .script(
            "photo",
            answer(400, json!({ "code": 51, "message": "The photo is too big" })),
        )
        .await;
    match send().await {
        Err(WriteError::Refused(error)) => assert!(error.to_string().contains("too big"), "{error}"),
        other => panic!("{other:?}"),
    }
    fixture
        .script("photo", answer(200, json!({ "code": "50" })))
        .await;
    let unusable = send().await;
    assert!(unusable.is_err(), "{unusable:?}");
    assert_eq!(fixture.taken("with photos").await, 0);
}

#[tokio::test]
async fn mark_as_read_succeeds_only_without_a_site_error() {
    let fixture = Fixture::open().await;
    for (json, is_done) in [
        (json!({ "code": 0 }), true),
        (json!({ "code": "0" }), true),
        (json!({}), true),
        (json!({ "code": 105 }), false),
        (json!({ "code": "105" }), false),
        (json!({ "code": "oops" }), false),
        (json!({ "code": {} }), false),
        (json!([]), false),
    ] {
        fixture.script("mark_read", answer(200, json.clone())).await;
        let marked = fixture
            .connector
            .mark_read(&fixture.account_context, &fixture.conversation_id)
            .await;
        assert_eq!(marked.is_ok(), is_done, "{json}: {marked:?}");
    }
}
