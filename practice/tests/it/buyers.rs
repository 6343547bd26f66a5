//! Buyers who act automatically.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use vintedbot_practice::{Buyers, Config, Practice};

use crate::rig::{Member, Rig};

async fn step(rig: &Rig, steps: u32) -> Value {
    let wish = json!({"steps": steps, "seed": 5});
    rig.admin(Method::POST, "buyers", wish).await["acted"].clone()
}

async fn conversations(rig: &Rig, member: &Member) -> Vec<Value> {
    let path = format!("conversations?member_id={}", member.id);
    let all = rig.admin(Method::GET, &path, Value::Null).await;
    all.as_array().expect("a list").clone()
}

#[tokio::test]
async fn new_wardrobe_has_history_and_a_waiting_buyer() {
    let rig = Rig::start().await;
    assert_eq!(step(&rig, 3).await, 0);
    let member = rig.member("lea").await;
    for title in ["Hoodie", "Cap", "Scarf", "Coat"] {
        rig.item(&member, title).await;
    }
    assert_eq!(step(&rig, 1).await, 1);
    let all = conversations(&rig, &member).await;
    assert!((3..=5).contains(&all.len()), "{}", all.len());
    let body = member.get("/api/v2/inbox").await;
    let rows = body["conversations"].as_array().expect("a list");
    assert_eq!(rows[0]["unread"], true);
    assert!(rows[1..].iter().all(|row| row["unread"] == false), "{rows:?}");
}

#[tokio::test]
async fn buyers_ask_offer_buy_and_stop_when_too_many_wait() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    for n in 0..12 {
        rig.item(&member, &format!("Hoodie {n}")).await;
    }
    step(&rig, 200).await;
    let waiting = conversations(&rig, &member).await;
    assert!(waiting.len() < 20, "{}", waiting.len());
    for _ in 0..6 {
        for one in conversations(&rig, &member).await {
            let request = one["messages"]
                .as_array()
                .expect("a list")
                .iter()
                .find_map(|message| {
                    let entity = &message["entity"];
                    (entity["status"] == 10 && entity["current"] == true)
                        .then(|| entity["offer_request_id"].clone())
                });
            if let Some(request) = request {
                let deal = &one["transaction"]["id"];
                let path = format!("/api/v2/transactions/{deal}/offer_requests/{request}/accept");
                member.call(Method::PUT, &path, Value::Null).await;
            } else {
                member.reply(&one, "Yes, it is.").await;
            }
        }
        step(&rig, 60).await;
    }
    let all = conversations(&rig, &member).await;
    let kinds: Vec<_> = all
        .iter()
        .flat_map(|one| one["messages"].as_array().expect("a list"))
        .map(|message| message["entity_type"].as_str().expect("a kind"))
        .collect();
    for kind in [
        "message",
        "offer_request_message",
        "status_message",
        "action_message",
    ] {
        assert!(kinds.contains(&kind), "{kind}");
    }
    let silent = all.iter().filter(|one| one["mood"]["silent"] == true);
    assert!(silent.count() > 3);
    let closed = member.wardrobe().await;
    assert!(closed.iter().any(|item| item["is_closed"] == true));
}

#[tokio::test]
async fn buyers_act_only_when_enabled() {
    let buyers = Buyers {
        pace: Duration::from_millis(20),
        seed: 1,
    };
    let config = Config {
        buyers: Some(buyers),
        ..Config::default()
    };
    let addr = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut rig = Rig::start().await;
    rig.site = Practice::bind(addr, config).await.expect("a free port");
    let member = rig.member("lea").await;
    rig.item(&member, "Hoodie").await;
    for _ in 0..100 {
        if !conversations(&rig, &member).await.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no buyer wrote");
}
