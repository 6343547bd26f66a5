//! An inbox sync that is killed repeatedly.

use anyhow::{Context as _, Result, ensure};
use futures::TryStreamExt as _;
use serde_json::json;
use tokio::time::{Duration, sleep};
use vintedbot_sdk::v1::{ListMessagesRequest, ListThreadsRequest, Message, Thread};

use super::world::{World, seller};

/// A sync that is killed repeatedly stores the same as an undisturbed one.
///
/// # Errors
///
/// Fails if a conversation or a message is missing or duplicated.
pub async fn run_chapter(world: &mut World) -> Result<()> {
    // This inbox was never read, so all of its pages are due.
    let account = seller(&world.client, "Inès", 60).await?;
    let member_id: u64 = account.member_id.parse()?;
    let many = json!({"member_id": member_id, "count": 40, "messages": 3});
    world.site.post("conversations/many", &many).await?;
    let slow = json!({"on": "conversation", "times": 400, "do": {"latency_ms": 30}});
    world.site.add_rule(&slow).await?;
    for after in [150, 400, 700] {
        let (client, account_id) = (world.client.clone(), account.id.clone());
        let reading = tokio::spawn(async move { client.inbox().sync_now(&account_id).await.map(drop) });
        sleep(Duration::from_millis(after)).await;
        world.instance.kill().await?;
        reading.abort();
        world.restart().await?;
    }
    // The lease of the killed process must expire first.
    sleep(Duration::from_secs(4)).await;
    world.client.inbox().sync_now(&account.id).await?;
    let threads: Vec<Thread> = world
        .client
        .inbox()
        .list(ListThreadsRequest {
            account_ids: vec![account.id.clone()],
            ..Default::default()
        })
        .try_collect()
        .await?;
    let there = world
        .site
        .get_value(&format!("conversations?member_id={member_id}"))
        .await?;
    let there = there.as_array().context("a list")?;
    ensure!(
        threads.len() == there.len(),
        "{} threads of {} conversations",
        threads.len(),
        there.len()
    );
    for conversation in there {
        let id = conversation["id"].to_string();
        let thread = threads.iter().find(|thread| thread.remote_id == id);
        let thread = thread.with_context(|| format!("conversation {id} is not here"))?;
        let entries = conversation["messages"].as_array().map_or(0, Vec::len);
        let request = ListMessagesRequest {
            thread_id: thread.id.clone(),
            ..Default::default()
        };
        let here: Vec<Message> = world.client.inbox().messages(request).try_collect().await?;
        ensure!(
            here.len() == entries && thread.message_count == i32::try_from(entries)?,
            "{} of {entries} messages of conversation {id}",
            here.len()
        );
    }
    Ok(())
}
