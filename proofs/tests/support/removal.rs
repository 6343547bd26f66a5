//! Removal of threads on the site: only with the confirmed content, and once.

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

/// Long enough to settle an outcome in doubt.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the chapter of removals.
///
/// # Errors
///
/// Fails if a thread is removed without a confirmation of its content or more than once, or if the shown state differs
/// from the site.
pub async fn run_chapter(world: &World) -> Result<()> {
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

/// A message that the buyer writes after the confirmation was requested prevents the removal.
async fn unseen(world: &World) -> Result<()> {
    let (id, thread) = opened(world, "unseen").await?;
    let inbox = world.client.inbox();
    let prepared = inbox.prepare_removal(&thread.id).await?;
    let confirmation = prepared.confirmation.context("a confirmation")?;
    let place = format!("conversations/{id}");
    let write = |text: &str| -> Value { json!({"do": "write", "text": text}) };
    world.site.post(&place, &write("Attendez")).await?;
    // The message is not stored here yet. The reading right before the request finds it.
    inbox.confirm_removal(&thread.id, &confirmation).await?;
    let outcome = ended(world, &thread.id).await?;
    ensure!(
        outcome == (State::Failed, ErrorReason::ConfirmationStale),
        "{outcome:?}"
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

/// The site removes the conversation, and its answer arrives or is lost.
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
    let outcome = ended(world, &thread.id).await?;
    ensure!(
        outcome == (State::Removed, ErrorReason::Unspecified),
        "{outcome:?}"
    );
    ensure!(removals(world, id).await? == 1, "once on the site");
    refused(
        inbox.confirm_removal(&thread.id, &confirmation).await,
        Code::FailedPrecondition,
        ErrorReason::ConfirmationUsed,
    )?;
    // The thread stays here until it is deleted here.
    inbox.delete(&thread.id).await?;
    Ok(())
}

/// The site answers with an error and removes nothing. Reconciliation detects that, and the request is not repeated.
async fn not_done(world: &World) -> Result<()> {
    let (id, thread) = opened(world, "not_done").await?;
    let rule = json!({"on": "delete_conversation", "times": 1, "do": {"answer": {"status": 502, "json": {"code": 1}}}});
    world.site.add_rule(&rule).await?;
    let inbox = world.client.inbox();
    let prepared = inbox.prepare_removal(&thread.id).await?;
    let confirmation = prepared.confirmation.context("a confirmation")?;
    inbox.confirm_removal(&thread.id, &confirmation).await?;
    let outcome = ended(world, &thread.id).await?;
    ensure!(
        outcome == (State::Failed, ErrorReason::OutcomeUnknown),
        "{outcome:?}"
    );
    ensure!(removals(world, id).await? == 0, "it was asked again");
    Ok(())
}
