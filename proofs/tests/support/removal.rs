//! Threads are removed on the site: only as they were seen, and once.

use anyhow::{Context as _, Result, ensure};
use futures::TryStreamExt as _;
use serde_json::{Value, json};
use tokio::time::{Duration, Instant, sleep};
use vintedbot_proofs::records::What;
use vintedbot_sdk::v1::thread::removal::State;
use vintedbot_sdk::v1::{ListThreadsRequest, Thread};
use vintedbot_sdk::{Code, ErrorReason};

use super::refusals::refused;
use super::world::World;

/// Long enough for an outcome in doubt to be found out.
const PATIENCE: Duration = Duration::from_secs(60);

/// Tells of conversations that go.
///
/// # Errors
///
/// One is removed that nobody confirmed as it was, or more than once, or it is told otherwise than the site has it.
pub async fn tell(world: &World) -> Result<()> {
    unseen(world).await.context("unseen")?;
    for (buyer, action) in [
        ("lost_answer", json!({"accept_then_500": true})),
        ("cut_answer", json!({"accept_then_cut": true})),
    ] {
        in_doubt(world, buyer, Some(action)).await.context(buyer)?;
    }
    in_doubt(world, "plain", None).await.context("plain")?;
    not_done(world).await.context("not done")
}

async fn opened(world: &World, buyer: &str) -> Result<(u64, Thread)> {
    let account = world.client.accounts().get(&world.account.id).await?;
    let member_id: u64 = account.member_id.parse()?;
    let opening = json!({"member_id": member_id, "buyer": buyer, "text": "Bonjour !"});
    let opened = world.site.post("conversations", &opening).await?;
    let id = opened["id"].as_u64().context("an id")?;
    world.client.inbox().sync_now(&world.account.id).await?;
    let all = world.client.inbox().list(ListThreadsRequest::default());
    let all: Vec<Thread> = all.try_collect().await?;
    let thread = all.into_iter().find(|thread| thread.remote_id == id.to_string());
    Ok((id, thread.context("the thread was not read")?))
}

async fn removals(world: &World, conversation_id: u64) -> Result<usize> {
    let records = world.site.records(0).await?;
    let is_it = |what: &What| matches!(what, What::ConversationDeleted(one) if one.conversation_id == conversation_id);
    Ok(records.iter().filter(|record| is_it(&record.what)).count())
}

async fn ended(world: &World, thread_id: &str) -> Result<(State, ErrorReason)> {
    let until = Instant::now() + PATIENCE;
    loop {
        let thread = world.client.inbox().get(thread_id).await?;
        let removal = thread.removal.context("a removal")?;
        if matches!(removal.state(), State::Removed | State::Failed) {
            return Ok((removal.state(), removal.reason()));
        }
        ensure!(Instant::now() < until, "it does not end: {removal:?}");
        sleep(Duration::from_millis(100)).await;
    }
}

/// What the buyer writes after the person looked keeps the conversation.
async fn unseen(world: &World) -> Result<()> {
    let (id, thread) = opened(world, "unseen").await?;
    let inbox = world.client.inbox();
    let prepared = inbox.prepare_removal(&thread.id).await?;
    let confirmation = prepared.confirmation.context("a confirmation")?;
    let place = format!("conversations/{id}");
    let write = |text: &str| -> Value { json!({"do": "write", "text": text}) };
    world.site.post(&place, &write("Attendez")).await?;
    // It is not here yet: the reading right before the request finds it.
    inbox.confirm_removal(&thread.id, &confirmation).await?;
    let told = ended(world, &thread.id).await?;
    ensure!(
        told == (State::Failed, ErrorReason::ConfirmationStale),
        "{told:?}"
    );
    let prepared = inbox.prepare_removal(&thread.id).await?;
    let confirmation = prepared.confirmation.context("a confirmation")?;
    world.site.post(&place, &write("Je le prends")).await?;
    inbox.sync_now(&world.account.id).await?;
    refused(
        inbox.confirm_removal(&thread.id, &confirmation).await,
        Code::FailedPrecondition,
        ErrorReason::ConfirmationStale,
    )?;
    ensure!(removals(world, id).await? == 0, "it was removed unseen");
    Ok(())
}

/// The site does it, and says so or not.
async fn in_doubt(world: &World, buyer: &str, action: Option<Value>) -> Result<()> {
    let (id, thread) = opened(world, buyer).await?;
    if let Some(action) = action {
        let rule = json!({"on": "delete_conversation", "times": 1, "do": action});
        world.site.add_rule(&rule).await?;
    }
    let inbox = world.client.inbox();
    let prepared = inbox.prepare_removal(&thread.id).await?;
    let confirmation = prepared.confirmation.context("a confirmation")?;
    inbox.confirm_removal(&thread.id, &confirmation).await?;
    let told = ended(world, &thread.id).await?;
    ensure!(told == (State::Removed, ErrorReason::Unspecified), "{told:?}");
    ensure!(removals(world, id).await? == 1, "once on the site");
    refused(
        inbox.confirm_removal(&thread.id, &confirmation).await,
        Code::FailedPrecondition,
        ErrorReason::ConfirmationUsed,
    )?;
    // It stays here until it is hidden here.
    inbox.delete(&thread.id).await?;
    Ok(())
}

/// The site answers with a fault of its own and does nothing: found out by reading, and not asked again.
async fn not_done(world: &World) -> Result<()> {
    let (id, thread) = opened(world, "not_done").await?;
    let rule = json!({"on": "delete_conversation", "times": 1, "do": {"answer": {"status": 502, "json": {"code": 1}}}});
    world.site.add_rule(&rule).await?;
    let inbox = world.client.inbox();
    let prepared = inbox.prepare_removal(&thread.id).await?;
    let confirmation = prepared.confirmation.context("a confirmation")?;
    inbox.confirm_removal(&thread.id, &confirmation).await?;
    let told = ended(world, &thread.id).await?;
    ensure!(told == (State::Failed, ErrorReason::OutcomeUnknown), "{told:?}");
    ensure!(removals(world, id).await? == 0, "it was asked again");
    Ok(())
}
