//! Templates, offers and searches.

use anyhow::{Context as _, Result, ensure};
use futures::TryStreamExt as _;
use serde_json::{Value, json};
use vintedbot_sdk::v1::message::Content;
use vintedbot_sdk::v1::reply::State;
use vintedbot_sdk::v1::{ListMessagesRequest, ListThreadsRequest, SearchRequest, Thread};

use super::{Case, Stage, case, text};

pub fn cases() -> Vec<Case> {
    vec![
        case!("template with CR LF", |stage| template(
            stage,
            "04-template-crlf.json"
        )),
        case!("template with LF", |stage| template(
            stage,
            "04-template-lf-control.json"
        )),
        case!("offer of 12,50 kr.", |stage| offer(
            stage,
            "14-offer-danish.json",
            [1_250, 2_000],
            "DKK"
        )),
        case!("offer of CHF 1'250.00", |stage| offer(
            stage,
            "14-offer-swiss-control.json",
            [125_000, 150_000],
            "CHF"
        )),
        case!("search for 上海", |stage| search(stage)),
    ]
}

async fn template(stage: &Stage, name: &str) -> Result<()> {
    let json: Value = serde_json::from_str(&text(&format!("inbox/{name}"))?)?;
    let field = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
    let template = stage
        .client
        .templates()
        .create(field("name"), field("text"))
        .await?;
    ensure!(
        template.text == field("text").replace("\r\n", "\n"),
        "{:?}",
        template.text
    );
    let thread = conversation(stage, json!({"buyer": "practice_tom", "text": "Bonjour"})).await?;
    let preview = stage.client.templates().preview(&template.id, &thread.id).await?;
    ensure!(
        !preview.text.contains('\r') && preview.text.contains('\n'),
        "{:?}",
        preview.text
    );
    let reply = stage.client.inbox().send(&thread.id, preview.text).await?;
    let reply = stage.client.inbox().settled(&reply.id).await?;
    ensure!(
        reply.state() == State::Sent,
        "{:?} {}",
        reply.state(),
        reply.reason_message
    );
    Ok(())
}

/// Opens a conversation on the practice site and returns its thread.
async fn conversation(stage: &Stage, opening: Value) -> Result<Thread> {
    let mut opening = opening;
    opening["member_id"] = json!(stage.seller.account.member_id.parse::<u64>()?);
    let opened = stage.practice.site.post("conversations", &opening).await?;
    let remote_id = opened["conversation_id"].as_u64().or(opened["id"].as_u64());
    let remote_id = remote_id.context("the answer contains no id")?.to_string();
    stage.client.inbox().sync_now(&stage.seller.account.id).await?;
    let threads: Vec<_> = stage
        .client
        .inbox()
        .list(ListThreadsRequest::default())
        .try_collect()
        .await?;
    let found = threads.into_iter().find(|thread| thread.remote_id == remote_id);
    found.context("the conversation was not read")
}

/// `minor_units`: the price that the buyer offers, and the price before it.
async fn offer(stage: &Stage, name: &str, minor_units: [i64; 2], currency: &str) -> Result<()> {
    let thread = conversation(stage, json!({"buyer": "practice_ida", "text": "Hej"})).await?;
    let act = text(&format!("inbox/{name}"))?.replace("\"@BUYER@\"", "1");
    let act: Value = serde_json::from_str(&act)?;
    let what = format!("conversations/{}", thread.remote_id);
    stage.practice.site.post(&what, &act).await?;
    stage.client.inbox().sync_now(&stage.seller.account.id).await?;
    let request = ListMessagesRequest {
        thread_id: thread.id.clone(),
        ..Default::default()
    };
    let messages: Vec<_> = stage.client.inbox().messages(request).try_collect().await?;
    let mut offers = messages.into_iter().filter_map(|message| match message.content {
        Some(Content::OfferRequest(offer)) => Some(offer),
        _ => None,
    });
    let offer = offers.next_back().context("there is no offer")?;
    for (price, minor_units) in [offer.price, offer.original_price].into_iter().zip(minor_units) {
        let price = price.context("a price is missing")?;
        ensure!(
            (price.minor_units, price.currency_code.as_str()) == (minor_units, currency),
            "{price:?}"
        );
    }
    Ok(())
}

async fn search(stage: &Stage) -> Result<()> {
    let member = &stage.seller.account.member_id;
    for name in ["20-message-lin.json", "20-message-mei.json"] {
        let opening = text(&format!("inbox/{name}"))?.replace("@MEMBER@", member);
        conversation(stage, serde_json::from_str(&opening)?).await?;
    }
    let request = SearchRequest {
        query: "上海".to_owned(),
        ..Default::default()
    };
    let found: Vec<_> = stage.client.inbox().search(request).try_collect().await?;
    ensure!(found.len() == 1, "{} results", found.len());
    let snippet: String = found[0].snippet.iter().map(|part| part.text.as_str()).collect();
    ensure!(snippet.contains("发货"), "{snippet}");
    Ok(())
}
