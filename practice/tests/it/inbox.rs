//! How members read their conversations.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::rig::{Member, Rig};

async fn rows(member: &Member, query: &str) -> Vec<Value> {
    let body = member.get(&format!("/api/v2/inbox{query}")).await;
    body["conversations"].as_array().expect("a list").clone()
}

fn texts(conversation: &Value) -> Vec<&str> {
    let messages = conversation["messages"].as_array().expect("a list");
    messages
        .iter()
        .filter_map(|one| one["entity"]["body"].as_str())
        .collect()
}

#[tokio::test]
async fn inbox_is_paged_by_latest_change_first() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    let wish = json!({"member_id": member.id, "count": 5, "messages": 2});
    let made = rig.admin(Method::POST, "conversations/many", wish).await;
    let ids = made["ids"].as_array().expect("ids").clone();
    let first = rows(&member, "?page=1&per_page=2").await;
    assert_eq!((&first[0]["id"], &first[1]["id"]), (&ids[4], &ids[3]));
    rig.act(
        &json!({"id": ids[0]}),
        json!({"do": "write", "text": "Still there?"}),
    )
    .await;
    let body = member.get("/api/v2/inbox?page=1&per_page=2").await;
    assert_eq!(body["conversations"][0]["id"], ids[0]);
    assert_eq!(body["conversations"][0]["description"], "Still there?");
    let paging = &body["pagination"];
    assert_eq!(
        (&paging["total_pages"], &paging["total_entries"]),
        (&json!(3), &json!(5))
    );
    assert!(paging["time"].as_i64() > Some(1_700_000_000));
    assert_eq!(rows(&member, "?page=3&per_page=2").await.len(), 1);
    let requests = rig.admin(Method::GET, "requests", Value::Null).await;
    assert_eq!(requests["paths"]["GET /api/v2/inbox"], 3);
}

#[tokio::test]
async fn inbox_row_has_no_item_and_times_have_an_offset() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    let item = rig.item(&member, "Hoodie").await;
    let one = rig.conversation(&member, &[item], "Hello").await;
    let row = rows(&member, "").await[0].clone();
    assert!(row.get("item_id").is_none() && row.get("transaction").is_none());
    assert_eq!(row["opposite_user"]["id"], one["buyer_id"]);
    assert_eq!(row["item_photos"].as_array().expect("photos").len(), 1);
    let time = row["updated_at"].as_str().expect("a time").to_owned();
    assert!(time.len() == 25 && &time[19..20] == "+", "{time}");

    rig.script(json!({"on": "inbox", "do": "millis"})).await;
    let row = rows(&member, "").await[0].clone();
    let time = row["updated_at"].as_str().expect("a time").to_owned();
    assert!(time.len() == 29 && &time[19..20] == ".", "{time}");
}

#[tokio::test]
async fn only_the_mark_call_marks_a_conversation_as_read() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    let item = rig.item(&member, "Hoodie").await;
    let one = rig.conversation(&member, &[item], "Hello").await;
    for _ in 0..2 {
        let read = member.conversation(&one).await;
        assert_eq!(
            (&read["unread"], &read["read_by_current_user"]),
            (&json!(true), &json!(false))
        );
    }
    let stats = member.get("/api/v2/conversations/stats").await;
    assert_eq!(stats["unread_msg_count"], 1);
    let path = format!("/api/v2/conversations/{}/mark_as_read", one["id"]);
    for _ in 0..2 {
        member.call(Method::PUT, &path, Value::Null).await;
    }
    assert_eq!(rows(&member, "").await[0]["unread"], false);
    let stats = member.get("/api/v2/conversations/stats").await;
    assert_eq!(stats["unread_msg_count"], 0);
    assert_eq!(rig.records("conversation_read").await.len(), 2);
}

#[tokio::test]
async fn every_entry_kind_exists_with_its_content() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    let item = rig.item(&member, "Hoodie").await;
    let one = rig.conversation(&member, &[item], "Hello").await;
    rig.act(&one, json!({"do": "write", "photos": 1})).await;
    rig.act(&one, json!({"do": "offer", "price": 1400})).await;
    let offers = format!("/api/v2/transactions/{}/offers", one["transaction_id"]);
    let offer = json!({"offer": {"price": "18", "currency": "EUR"}});
    let (status, answer) = member.call(Method::POST, &offers, offer).await;
    assert_eq!(
        (status, &answer["user_msg_thread_id"]),
        (StatusCode::OK, &one["id"])
    );
    rig.act(&one, json!({"do": "accept"})).await;
    rig.act(&one, json!({"do": "buy"})).await;
    let strange = json!({"do": "entry", "entity_type": "hologram", "entity": {"depth": 3}});
    rig.act(&one, strange).await;

    let read = member.conversation(&one).await;
    let messages = read["messages"].as_array().expect("a list");
    let kinds: Vec<_> = messages.iter().map(|one| &one["entity_type"]).collect();
    assert_eq!(
        kinds,
        [
            "message",
            "message",
            "offer_request_message",
            "offer_message",
            "status_message",
            "action_message",
            "hologram",
        ]
    );
    let photo = messages[1]["entity"]["photos"][0]["url"]
        .as_str()
        .expect("an address");
    let photo = rig.client.get(photo).send().await.expect("an answer");
    assert_eq!(photo.headers()["content-type"], "image/jpeg");
    let request = &messages[2]["entity"];
    assert_eq!(
        (&request["price"]["amount"], &request["original_price"]["amount"]),
        (&json!("14.0"), &json!("20.0"))
    );
    assert_eq!(
        (&request["status"], &request["status_title"]),
        (&json!(40), &json!("Cancelled"))
    );
    assert!(messages[3]["entity"].get("status").is_none());
    assert_eq!(
        messages[5]["entity"]["actions"][0]["action"],
        "get_shipping_label"
    );

    let deal = &read["transaction"];
    assert_eq!((&deal["status"], &deal["item_id"]), (&json!(210), &json!(item)));
    assert_eq!(
        (&deal["current_user_side"], &deal["offer_price"]["amount"]),
        (&json!("seller"), &json!("18.0"))
    );
    assert_eq!(
        (&deal["item_is_closed"], &deal["is_reserved"]),
        (&json!(true), &json!(true))
    );
    let row = member.wardrobe().await[0].clone();
    assert_eq!(
        (&row["is_closed"], &row["is_reserved"]),
        (&json!(true), &json!(true))
    );
}

#[tokio::test]
async fn latest_price_of_each_side_is_current() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    let item = rig.item(&member, "Hoodie").await;
    let one = rig.conversation(&member, &[item], "Hello").await;
    for (price, from) in [
        (1400, "buyer"),
        (1800, "seller"),
        (1500, "buyer"),
        (1700, "seller"),
    ] {
        rig.act(&one, json!({"do": "offer", "price": price, "from": from}))
            .await;
    }
    let read = member.conversation(&one).await;
    let messages = read["messages"].as_array().expect("a list");
    let prices: Vec<_> = messages[1..]
        .iter()
        .map(|message| {
            let entity = &message["entity"];
            (
                entity["price"]["amount"].clone(),
                entity["current"] == true,
                entity["status"].clone(),
            )
        })
        .collect();
    assert_eq!(
        prices,
        [
            (json!("14.0"), false, json!(40)),
            (json!("18.0"), false, Value::Null),
            (json!("15.0"), true, json!(10)),
            (json!("17.0"), true, Value::Null),
        ]
    );
}

#[tokio::test]
async fn id_of_a_request_message_is_beside_its_entity() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    let item = rig.item(&member, "Hoodie").await;
    let one = rig.conversation(&member, &[item], "Hello").await;
    let asked = rig.act(&one, json!({"do": "offer", "price": 1400})).await;
    let message = member.conversation(&one).await["messages"][1].clone();
    assert_eq!(message["entity"]["offer_request_id"], asked["id"]);
    assert!(
        message["id"].is_u64() && message["id"] != asked["id"],
        "{message}"
    );
    assert!(message["entity"].get("id").is_none());
}

#[tokio::test]
async fn request_stays_pending_when_its_deal_ends() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    let item = rig.item(&member, "Hoodie").await;
    let one = rig.conversation(&member, &[item], "Hello").await;
    rig.act(&one, json!({"do": "offer", "price": 1400})).await;
    let wish = json!({"member_id": member.id, "buyer": "other_buyer", "item_ids": [item], "text": "Mine!"});
    let other = rig.admin(Method::POST, "conversations", wish).await;
    rig.act(&other, json!({"do": "buy"})).await;
    let read = member.conversation(&one).await;
    let (deal, request) = (&read["transaction"], &read["messages"][1]["entity"]);
    assert_eq!(
        (&deal["status"], &deal["item_is_closed"]),
        (&json!(1), &json!(true))
    );
    assert_eq!(
        (&request["status"], &request["current"]),
        (&json!(10), &json!(true))
    );

    rig.act(&one, json!({"do": "deal", "status": 520})).await;
    let read = member.conversation(&one).await;
    let (deal, request) = (&read["transaction"], &read["messages"][1]["entity"]);
    assert_eq!(
        (&deal["status"], &deal["is_reserved"]),
        (&json!(520), &json!(false))
    );
    assert_eq!(request["status"], 10);
}

#[tokio::test]
async fn bundle_has_several_items_and_no_item_id() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    let items = [rig.item(&member, "Hoodie").await, rig.item(&member, "Cap").await];
    let one = rig.conversation(&member, &items, "Both?").await;
    let deal = member.conversation(&one).await["transaction"].clone();
    assert_eq!(
        (&deal["is_bundle"], &deal["item_id"]),
        (&json!(true), &Value::Null)
    );
    assert_eq!(deal["item_ids"], json!(items));
    assert_eq!(deal["offer_price"]["amount"], "40.0");
}

#[tokio::test]
async fn offer_is_answered_once_and_only_by_the_seller() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    let item = rig.item(&member, "Hoodie").await;
    for (answer, status) in [("reject", 30), ("accept", 20)] {
        let one = rig.conversation(&member, &[item], "Hello").await;
        let asked = rig.act(&one, json!({"do": "offer", "price": 1500})).await;
        let path = format!(
            "/api/v2/transactions/{}/offer_requests/{}/{answer}",
            one["transaction_id"], asked["id"]
        );
        let buyer = rig.member("camille_practice").await;
        let refused = buyer.call(Method::PUT, &path, Value::Null).await;
        assert_eq!(refused.0, StatusCode::FORBIDDEN);
        assert_eq!(
            member.call(Method::PUT, &path, Value::Null).await.0,
            StatusCode::OK
        );
        let again = member.call(Method::PUT, &path, Value::Null).await;
        assert_eq!(again.0, StatusCode::NOT_FOUND);
        let read = member.conversation(&one).await;
        assert_eq!(read["messages"][1]["entity"]["status"], status);
        let price = if answer == "accept" { "15.0" } else { "20.0" };
        assert_eq!(read["transaction"]["offer_price"]["amount"], price);
        assert_eq!(rig.count(&format!("offer_{answer}ed")).await, 1);
    }
}

#[tokio::test]
async fn conversation_is_private_and_deletion_is_per_side() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    let one = rig.conversation(&member, &[], "Hello").await;
    let path = format!("/api/v2/conversations/{}", one["id"]);
    let other = rig.member("max").await;
    for method in [Method::GET, Method::DELETE] {
        let (status, body) = other.call(method, &path, Value::Null).await;
        assert_eq!((status, &body["code"]), (StatusCode::NOT_FOUND, &json!(104)));
    }
    let list = member
        .call(Method::GET, "/api/v2/conversations?page=1", Value::Null)
        .await;
    assert_eq!(list.0, StatusCode::NOT_FOUND);
    member.call(Method::DELETE, &path, Value::Null).await;
    assert!(rows(&member, "").await.is_empty());
    assert_eq!(
        member.call(Method::GET, &path, Value::Null).await.0,
        StatusCode::NOT_FOUND
    );
    let buyer = rig.member("camille_practice").await;
    assert_eq!(texts(&buyer.conversation(&one).await), ["Hello"]);
}

#[tokio::test]
async fn withdrawn_message_is_hidden_and_empty() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    let one = rig.conversation(&member, &[], "Give me a discount!").await;
    rig.act(&one, json!({"do": "hide", "message_id": one["message_id"]}))
        .await;
    let entity = member.conversation(&one).await["messages"][0]["entity"].clone();
    assert_eq!(
        (&entity["is_hidden"], &entity["body"]),
        (&json!(true), &json!(""))
    );
}

#[tokio::test]
async fn site_account_writes_and_accepts_no_reply() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    let wish = json!({"member_id": member.id, "buyer": "practice_team", "text": "Welcome", "system": true});
    let one = rig.admin(Method::POST, "conversations", wish).await;
    let read = member.conversation(&one).await;
    assert_eq!(
        (&read["allow_reply"], &read["transaction"]),
        (&json!(false), &Value::Null)
    );
    assert_eq!(read["opposite_user"]["is_system"], true);
    assert_eq!(member.reply(&one, "Thanks").await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn reads_can_be_emptied_doubled_odd_or_lack_fields() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    let item = rig.item(&member, "Hoodie").await;
    let one = rig.conversation(&member, &[item], "Hello").await;
    rig.script(json!([
        {"on": "inbox", "times": 1, "do": {"challenge": "emptied_json"}},
        {"on": "inbox", "after": 1, "times": 1, "do": {"answer": {"status": 200, "json": {"conversations": []}}}},
        {"on": "inbox", "after": 2, "times": 1, "do": "twin"},
        {"on": "conversation", "times": 1, "do": "odd_shapes"},
        {"on": "conversation", "after": 1, "times": 1, "do": {"leave_out": ["transaction", "id", "body"]}},
    ]))
    .await;
    let emptied = member.get("/api/v2/inbox").await;
    assert_eq!(
        (&emptied["conversations"], &emptied["pagination"]),
        (&json!([]), &json!({}))
    );
    assert_eq!(member.get("/api/v2/inbox").await, json!({"conversations": []}));
    let twins = rows(&member, "").await;
    assert_eq!((twins.len(), &twins[0]), (2, &twins[1]));
    let odd = member.conversation(&one).await;
    assert_eq!(odd["messages"][1]["entity_type"], "practice_unknown");
    assert_eq!(odd["transaction"]["item_id"], Value::Null);
    let poor = member.conversation(&one).await;
    assert!(poor.get("id").is_none() && poor.get("transaction").is_none());
    assert!(poor["messages"][0]["entity"].get("body").is_none());
    assert_eq!(texts(&member.conversation(&one).await), ["Hello"]);
}

#[tokio::test]
async fn conversations_survive_a_restart() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    let item = rig.item(&member, "Hoodie").await;
    let one = rig.conversation(&member, &[item], "Hello").await;
    let rig = rig.restart().await;
    let member = rig.member("lea").await;
    assert_eq!(texts(&member.conversation(&one).await), ["Hello"]);
}
