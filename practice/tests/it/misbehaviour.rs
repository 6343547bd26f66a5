//! Scripted misbehaviour of the site.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::rig::{Member, Rig};

#[tokio::test]
async fn cut_connection_and_500_hide_an_accepted_write() {
    for (action, answered) in [("accept_then_cut", false), ("accept_then_500", true)] {
        let rig = Rig::start().await;
        let member = rig.member("lea").await;
        let item = member.hoodie("Hoodie").await;
        let draft = member.save_draft(&item).await;
        rig.script(json!({"on": "publish", "times": 1, "do": action}))
            .await;
        let answer = member
            .try_call(Method::POST, &Member::completion(draft), json!({"draft": item}))
            .await;
        assert_eq!(answer.is_ok(), answered, "{action}");
        if let Ok(answer) = answer {
            assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        }
        assert_eq!(rig.count("item_published").await, 1, "{action}");
        assert_eq!(member.wardrobe().await[0]["is_draft"], false);
    }
}

#[tokio::test]
async fn form_can_refuse_without_a_request() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    let errors = json!([{"field": "brand", "value": "No </script> brand"}]);
    rig.script(json!({"on": "form", "times": 1, "do": {"refuse_in_form": errors}}))
        .await;
    let (_, page) = member.call(Method::GET, "/items/new", Value::Null).await;
    let page = page.as_str().expect("a page");
    let script =
        r#"<script>self.practiceRefusals=[{"field":"brand","value":"No \u003c/script> brand"}]</script>"#;
    assert!(page.contains(script), "{page}");
    let (_, page) = member.call(Method::GET, "/items/new", Value::Null).await;
    assert!(!page.as_str().expect("a page").contains("practiceRefusals"));
}

#[tokio::test]
async fn form_can_show_alerts_and_send_late() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    let alerts = json!([{"field": "title", "value": "Check this"}]);
    rig.script(json!({"on": "form", "do": {"warn_in_form": alerts, "send_late_ms": 40}}))
        .await;
    let (_, page) = member.call(Method::GET, "/items/new", Value::Null).await;
    let page = page.as_str().expect("a page");
    for script in [
        r#"<script>self.practiceWarnings=[{"field":"title","value":"Check this"}]</script>"#,
        "<script>self.practiceSendLateMs=40</script>",
    ] {
        assert!(page.contains(script), "{page}");
    }
}

#[tokio::test]
async fn refused_request_is_not_cut() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    rig.script(json!({"on": "publish", "do": "accept_then_cut"}))
        .await;
    let (status, _) = member
        .call(Method::POST, "/api/v2/item_upload/items", json!({"item": {}}))
        .await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn delayed_change_is_invisible_until_its_time() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    let item = member.hoodie("Hoodie").await;
    let draft = member.save_draft(&item).await;
    rig.script(json!({"on": "publish", "do": {"delay_visible_ms": 3_600_000, "new_id_on_publish": true}}))
        .await;
    let (_, body) = member
        .call(Method::POST, &Member::completion(draft), json!({"draft": item}))
        .await;
    assert_ne!(body["item"]["id"], draft);
    let row = &member.wardrobe().await[0];
    assert_eq!(
        (row["id"].as_u64(), &row["is_draft"]),
        (Some(draft), &json!(true))
    );
    let read = member.get(&format!("/api/v2/item_upload/items/{draft}")).await;
    assert_eq!(read["item"]["is_draft"], true);
    let new = format!("/api/v2/item_upload/items/{}", body["item"]["id"]);
    assert_eq!(
        member.call(Method::GET, &new, Value::Null).await.0,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn list_can_lag_while_item_reads_are_current() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    rig.script(json!([
        {"on": "publish", "title_contains": "LATE", "do": {"list_late_ms": 3_600_000}},
        {"on": "publish", "title_contains": "never", "do": "never_list"},
    ]))
    .await;
    for title in ["Late hoodie", "Never hoodie", "Plain hoodie"] {
        let item = member.hoodie(title).await;
        let (_, body) = member
            .call(Method::POST, "/api/v2/item_upload/items", json!({"item": item}))
            .await;
        let read = member
            .get(&format!("/api/v2/item_upload/items/{}", body["item"]["id"]))
            .await;
        assert_eq!(read["item"]["title"], title);
    }
    let titles: Vec<_> = member
        .wardrobe()
        .await
        .iter()
        .map(|row| row["title"].clone())
        .collect();
    assert_eq!(titles, ["Plain hoodie"]);
}

#[tokio::test]
async fn twins_are_two_records_and_two_ids() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    let item = member.hoodie("Hoodie").await;
    rig.script(json!({"on": "publish", "do": {"twin": true, "hide": true, "alter": {"title": "Hoody"}}}))
        .await;
    member
        .call(Method::POST, "/api/v2/item_upload/items", json!({"item": item}))
        .await;
    let published = rig.records("item_published").await;
    assert_eq!(published.len(), 2);
    assert_ne!(published[0]["item_id"], published[1]["item_id"]);
    let rows = member.wardrobe().await;
    assert!(
        rows.iter()
            .all(|row| row["is_hidden"] == true && row["title"] == "Hoody"),
        "{rows:?}"
    );
}

#[tokio::test]
async fn bot_check_answers_calls_in_json_and_pages_with_a_frame() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    rig.script(json!({"on": "any", "member": member.id, "times": 2, "do": "status_403"}))
        .await;
    let call = member
        .try_call(Method::GET, "/api/v2/users/current", Value::Null)
        .await
        .expect("an answer");
    assert_eq!(
        (call.status(), &call.headers()["x-dd-b"]),
        (StatusCode::FORBIDDEN, &"2".parse().expect("a value"))
    );
    let body: Value = call.json().await.expect("JSON");
    assert!(
        body["url"]
            .as_str()
            .expect("an address")
            .contains("captcha-delivery.com")
    );
    let (status, page) = member.call(Method::GET, "/items/new", Value::Null).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(page.as_str().expect("a page").contains("captcha-delivery.com"));
    member.get("/api/v2/users/current").await;
    let rules = rig.admin(Method::GET, "script", Value::Null).await;
    assert_eq!((&rules[0]["seen"], &rules[0]["struck"]), (&json!(3), &json!(2)));
}

#[tokio::test]
async fn rules_can_delay_reject_and_be_removed() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    let item = member.hoodie("Hoodie").await;
    let error = json!({"field": "title", "value": "Not like this"});
    rig.script(json!({"on": "save_draft", "after": 1, "do": {"reject": error}}))
        .await;
    member.save_draft(&item).await;
    let (status, body) = member
        .call(Method::POST, "/api/v2/item_upload/drafts", json!({"draft": item}))
        .await;
    assert_eq!((status, &body["errors"][0]), (StatusCode::BAD_REQUEST, &error));
    rig.admin(Method::DELETE, "script", Value::Null).await;
    member.save_draft(&item).await;
    assert_eq!(rig.count("draft_saved").await, 2);
}

#[tokio::test]
async fn rule_with_an_unknown_behaviour_is_refused() {
    let rig = Rig::start().await;
    let request = rig
        .client
        .post(rig.url("/_practice/script"))
        .json(&json!({"on": "publish", "do": "explode"}));
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.text().await.expect("text").contains("explode"));
}

#[tokio::test]
async fn reset_keeps_only_the_record_numbering() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    member.save_draft(&member.hoodie("Hoodie").await).await;
    rig.admin(Method::POST, "reset", json!({})).await;
    assert_eq!(rig.admin(Method::GET, "records", Value::Null).await, json!([]));
    assert_eq!(rig.admin(Method::GET, "items", Value::Null).await, json!([]));
    let member = rig.member("lea").await;
    member.save_draft(&member.hoodie("Hoodie").await).await;
    assert_eq!(rig.records("photo").await[0]["seq"], 3);
}
