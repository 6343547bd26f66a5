//! Replies, and scripted failures of them.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::rig::{Member, Rig, png};

/// Returns a site, a member and a conversation about a hoodie of the member.
async fn asked() -> (Rig, Member, Value) {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    let item = rig.item(&member, "Hoodie").await;
    let one = rig.conversation(&member, &[item], "Is it warm?").await;
    (rig, member, one)
}

/// Returns the member's messages in a conversation, as the site shows them.
async fn messages_of(member: &Member, one: &Value) -> Vec<String> {
    let read = member.conversation(one).await;
    let messages = read["messages"].as_array().expect("a list").iter();
    messages
        .map(|message| &message["entity"])
        .filter(|entity| entity["user_id"] == member.id)
        .map(|entity| entity["body"].as_str().expect("a text").to_owned())
        .collect()
}

#[tokio::test]
async fn repeated_reply_is_stored_and_recorded_each_time() {
    let (rig, member, one) = asked().await;
    let (status, first) = member.reply(&one, "ok").await;
    assert_eq!((status, &first["code"]), (StatusCode::OK, &json!(0)));
    let (_, second) = member.reply(&one, "ok").await;
    assert_ne!(first["message"]["id"], second["message"]["id"]);
    assert_eq!(messages_of(&member, &one).await, ["ok", "ok"]);
    let records = rig.records("reply").await;
    let identical: Vec<_> = records.iter().map(|record| &record["identical"]).collect();
    assert_eq!(identical, [1, 2]);
    assert_eq!(
        (&records[1]["message_id"], &records[1]["body"]),
        (&second["message"]["id"], &json!("ok"))
    );
    let row = member.get("/api/v2/inbox").await["conversations"][0].clone();
    assert_eq!(row["description"], "ok");
    let read = member.conversation(&one).await;
    assert_eq!(read["read_by_opposite_user"], false);
    rig.act(&one, json!({"do": "read"})).await;
    assert_eq!(member.conversation(&one).await["read_by_opposite_user"], true);
}

#[tokio::test]
async fn reply_accepts_uploaded_photos_and_refuses_unknown_ones() {
    let (rig, member, one) = asked().await;
    member.upload(png()).await;
    let path = format!("/api/v2/conversations/{}/replies", one["id"]);
    let with = |uuid: &str| json!({"reply": {"body": "", "photo_temp_uuids": [uuid]}});
    let (status, body) = member.call(Method::POST, &path, with("one-session")).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(body["message"]["photos"][0]["width"], 1);
    let (status, body) = member.call(Method::POST, &path, with("never-seen")).await;
    assert_eq!((status, &body["code"]), (StatusCode::BAD_REQUEST, &json!(99)));
    let records = rig.records("reply").await;
    let photos = rig.records("photo").await;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["photo_sha256s"], json!([photos[0]["sha256"]]));
}

#[tokio::test]
async fn forbidden_reply_texts_are_refused() {
    let (rig, member, one) = asked().await;
    for (text, code) in [
        (" \n", 99),
        ("You IDIOT!", 134),
        ("Write to lea@example.invalid please", 136),
    ] {
        let (status, body) = member.reply(&one, text).await;
        assert_eq!(
            (status, &body["code"]),
            (StatusCode::BAD_REQUEST, &json!(code)),
            "{text}"
        );
        assert_ne!(body["message"], "");
    }
    assert_eq!(rig.count("reply").await, 0);
    let path = format!("/api/v2/conversations/{}/replies", one["id"]);
    let reply = json!({"body": "lea@example.invalid", "is_personal_data_sharing_check_skipped": true});
    let (status, _) = member.call(Method::POST, &path, json!({"reply": reply})).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(rig.count("personal_data_check_skipped").await, 1);
}

#[tokio::test]
async fn reply_without_csrf_or_session_is_refused() {
    let (rig, member, one) = asked().await;
    let url = rig.url(&format!("/api/v2/conversations/{}/replies", one["id"]));
    let reply = json!({"reply": {"body": "Yes"}});
    let request = rig.client.post(&url).json(&reply);
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    let request = rig
        .client
        .post(&url)
        .header("cookie", member.cookie_header())
        .json(&reply);
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert_eq!(rig.count("reply").await, 0);
}

#[tokio::test]
async fn reply_under_500_or_cut_is_accepted_but_not_under_reset() {
    for (action, replies) in [("accept_then_500", 1), ("accept_then_cut", 1), ("reset", 0)] {
        let (rig, member, one) = asked().await;
        rig.script(json!({"on": "reply", "times": 1, "do": action})).await;
        let path = format!("/api/v2/conversations/{}/replies", one["id"]);
        let answer = member
            .try_call(Method::POST, &path, json!({"reply": {"body": "Yes"}}))
            .await;
        let accepted = answer.is_ok_and(|answer| answer.status().is_success());
        assert!(!accepted, "{action}");
        assert_eq!(rig.count("reply").await, replies, "{action}");
        assert_eq!(messages_of(&member, &one).await.len(), replies, "{action}");
    }
}

#[tokio::test]
async fn reply_can_appear_late_twice_or_altered() {
    let (rig, member, one) = asked().await;
    rig.script(json!([
        {"on": "reply", "title_contains": "late", "do": {"delay_visible_ms": 3_600_000}},
        {"on": "reply", "title_contains": "unlisted", "do": "never_list"},
        {"on": "reply", "title_contains": "twice", "do": "twin"},
        {"on": "reply", "title_contains": "spaced", "do": "alter_whitespace"},
        {"on": "reply", "title_contains": "other", "do": {"alter": {"body": "Something else"}}},
        {"on": "reply", "title_contains": "nameless", "do": {"leave_out": ["id"]}},
    ]))
    .await;
    member.reply(&one, "late").await;
    assert!(messages_of(&member, &one).await.is_empty());
    let row = member.get("/api/v2/inbox").await["conversations"][0].clone();
    assert_eq!(row["description"], "Is it warm?");
    member.reply(&one, "unlisted").await;
    let row = member.get("/api/v2/inbox").await["conversations"][0].clone();
    assert_eq!(row["description"], "Is it warm?");
    member.reply(&one, "twice").await;
    member.reply(&one, "well spaced").await;
    member.reply(&one, "other").await;
    let (_, nameless) = member.reply(&one, "nameless").await;
    assert!(nameless["message"].is_object() && nameless["message"].get("id").is_none());
    assert_eq!(
        messages_of(&member, &one).await,
        [
            "unlisted",
            "twice",
            "twice",
            "well\u{a0} spaced\n",
            "Something else",
            "nameless"
        ]
    );
    assert_eq!(rig.count("reply").await, 7);
}

#[tokio::test]
async fn inbox_challenges_have_no_effect() {
    let (rig, member, one) = asked().await;
    let calls = [
        ("inbox", Method::GET, "/api/v2/inbox".to_owned(), Value::Null),
        (
            "conversation",
            Method::GET,
            format!("/api/v2/conversations/{}", one["id"]),
            Value::Null,
        ),
        (
            "reply",
            Method::POST,
            format!("/api/v2/conversations/{}/replies", one["id"]),
            json!({"reply": {"body": "Yes"}}),
        ),
        (
            "mark_read",
            Method::PUT,
            format!("/api/v2/conversations/{}/mark_as_read", one["id"]),
            Value::Null,
        ),
    ];
    for (operation, method, path, body) in calls {
        for (challenge, status) in [
            ("rate_limit", 429),
            ("bot_check_on_call", 403),
            ("login_lost", 401),
        ] {
            rig.script(json!({"on": operation, "times": 1, "do": {"challenge": challenge}}))
                .await;
            let (answered, _) = member.call(method.clone(), &path, body.clone()).await;
            assert_eq!(answered.as_u16(), status, "{operation} {challenge}");
        }
    }
    assert_eq!(rig.count("reply").await, 0);
    assert_eq!(rig.count("conversation_read").await, 0);
}
