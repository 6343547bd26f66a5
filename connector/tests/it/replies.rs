//! What the site answers to a reply, and to the calls around it, when it does not answer well.

use std::time::Duration;

use serde_json::{Value, json};
use vintedbot_marketplace::challenge::Kind;
use vintedbot_marketplace::{Error, Inbox as _, OutgoingReply, WriteError};

use crate::inbox::Desk;
use crate::site::{Allowed, photos};

fn answer(status: u16, json: Value) -> Value {
    json!({ "answer": { "status": status, "json": json } })
}

#[tokio::test]
async fn an_answer_that_is_none_of_the_sites_leaves_the_outcome_open() {
    let desk = Desk::open().await;
    let again = format!("/api/v2/conversations/{}/replies", desk.conversation_id);
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
        desk.script("reply", action).await;
        let sent = desk.send(text).await;
        assert!(matches!(sent, Err(WriteError::Unknown(_))), "{text}: {sent:?}");
        // A redirect that were followed would have sent it, for the script strikes once.
        assert_eq!(desk.taken(text).await, 0, "{text}");
    }
}

#[tokio::test]
async fn a_code_that_says_plainly_that_nothing_was_taken_is_a_refusal_in_words() {
    let desk = Desk::open().await;
    for (status, code, words) in [
        (404, json!(104), "does not know the thread"),
        (400, json!("116"), "any more"),
        (422, json!(20), "transaction"),
    ] {
        desk.script(
            "reply",
            answer(status, json!({ "code": code, "message": "in its words" })),
        )
        .await;
        match desk.send("gone").await {
            Err(WriteError::Refused(error)) => {
                let told = error.to_string();
                assert!(told.contains(words) && told.contains("in its words"), "{told}");
            }
            other => panic!("{code}: {other:?}"),
        }
    }
    assert_eq!(desk.taken("gone").await, 0);
}

#[tokio::test]
async fn good_without_a_message_is_sent_as_one_that_is_not_named() {
    let desk = Desk::open().await;
    for code in [json!(0), json!("0")] {
        desk.script("reply", answer(200, json!({ "code": code }))).await;
        assert_eq!(desk.send("unnamed").await.expect("is sent"), None);
    }
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_leaves_the_outcome_open() {
    let desk = Desk::open().await;
    let hasty = desk.site.patient_for(Duration::from_secs(2));
    hasty.inbox_page(&desk.seat, 1).await.expect("a page");
    desk.script("reply", json!({ "answer_late_ms": 60_000 })).await;
    let sent = hasty.send_reply(&desk.seat, &Allowed, &desk.reply("late")).await;
    assert!(
        matches!(sent, Err(WriteError::Unknown(Error::Unavailable(_)))),
        "{sent:?}"
    );
    assert_eq!(desk.taken("late").await, 1);
}

#[tokio::test]
async fn a_session_that_ended_before_a_reply_sends_nothing_and_the_next_reading_renews_it() {
    let desk = Desk::open().await;
    desk.script(
        "reply",
        answer(401, json!({ "code": 100, "message": "Invalid token" })),
    )
    .await;
    let sent = desk.send("who?").await;
    assert!(
        matches!(sent, Err(WriteError::NotSent(Error::SessionBusy))),
        "{sent:?}"
    );
    assert_eq!(desk.taken("who?").await, 0);
    let read = desk
        .connector
        .conversation(&desk.seat, &desk.conversation_id)
        .await;
    assert!(read.expect("renewed").is_some());
    assert!(desk.send("who?").await.expect("is sent").is_some());
    assert_eq!(desk.taken("who?").await, 1);
}

#[tokio::test]
async fn an_expired_token_is_renewed_at_every_call_of_the_inbox_and_before_a_reply_with_photos() {
    let desk = Desk::open().await;
    let seat = &desk.seat;
    let settings = |seconds: u64| json!({ "access_token_ttl_s": seconds });
    for call in ["inbox", "conversation", "mark_read", "reply", "photo"] {
        // Logged in for a second, by a connector that knows no more than that.
        desk.site.admin("POST", "settings", settings(1)).await;
        let connector = desk.site.plain();
        connector.inbox_page(seat, 1).await.expect("logged in");
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        desk.site.admin("POST", "settings", settings(60)).await;
        match call {
            "inbox" => connector.inbox_page(seat, 1).await.map(drop).expect(call),
            "conversation" => {
                let read = connector.conversation(seat, &desk.conversation_id).await;
                assert!(read.expect(call).is_some());
            }
            "mark_read" => connector
                .mark_read(seat, &desk.conversation_id)
                .await
                .expect(call),
            "reply" => {
                // A writing call is not made twice, whatever the site says; the next attempt reads first.
                let reply = desk.reply("Bonjour");
                let sent = connector.send_reply(seat, &Allowed, &reply).await;
                assert!(
                    matches!(sent, Err(WriteError::NotSent(Error::SessionBusy))),
                    "{sent:?}"
                );
                let read = connector.conversation(seat, &desk.conversation_id).await;
                assert!(read.expect(call).is_some());
                let sent = connector.send_reply(seat, &Allowed, &reply).await;
                assert!(sent.expect(call).is_some());
            }
            _ => {
                let reply = OutgoingReply {
                    photos: photos(1),
                    ..desk.reply("Voilà")
                };
                let sent = connector.send_reply(seat, &Allowed, &reply).await;
                assert!(sent.expect(call).is_some());
            }
        }
    }
    assert_eq!((desk.taken("Bonjour").await, desk.taken("Voilà").await), (1, 1));
}

#[tokio::test]
async fn an_upload_that_fails_sends_nothing() {
    let desk = Desk::open().await;
    let reply = OutgoingReply {
        photos: photos(2),
        ..desk.reply("with photos")
    };
    let send = || desk.connector.send_reply(&desk.seat, &Allowed, &reply);
    desk.script("photo", json!({ "challenge": "bot_check_on_call" }))
        .await;
    match send().await {
        Err(WriteError::NotSent(Error::Challenge { verdict, .. })) => {
            assert_eq!(verdict.kind, Kind::CaptchaOnCall);
        }
        other => panic!("{other:?}"),
    }
    // The site's own word on a photo is told as a refusal, not as a request that was not made.
    desk.script(
        "photo",
        answer(400, json!({ "code": 51, "message": "The photo is too big" })),
    )
    .await;
    match send().await {
        Err(WriteError::Refused(error)) => assert!(error.to_string().contains("too big"), "{error}"),
        other => panic!("{other:?}"),
    }
    desk.script("photo", answer(200, json!({ "code": "50" }))).await;
    let unusable = send().await;
    assert!(unusable.is_err(), "{unusable:?}");
    assert_eq!(desk.taken("with photos").await, 0);
}

#[tokio::test]
async fn marking_as_read_is_done_only_where_the_site_says_nothing_against_it() {
    let desk = Desk::open().await;
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
        desk.script("mark_read", answer(200, json.clone())).await;
        let marked = desk.connector.mark_read(&desk.seat, &desk.conversation_id).await;
        assert_eq!(marked.is_ok(), is_done, "{json}: {marked:?}");
    }
}
