//! Each kind of challenge has the effects that the table in the safety notes lists, for the job, the account and its
//! other jobs.

use anyhow::{Result, ensure};
use serde_json::json;
use vintedbot_sdk::ErrorReason;
use vintedbot_sdk::v1::publish_job::State;
use vintedbot_sdk::v1::publish_job::waiting::Why;
use vintedbot_sdk::v1::{Account, account};

use super::world::{World, seller};

/// The kinds of challenges that pause the account, and the reason that the person gets.
const STOPPING: [(&str, ErrorReason); 6] = [
    ("bot_check_on_call", ErrorReason::ChallengeBotCheck),
    ("cloudflare", ErrorReason::ChallengeCloudflare),
    ("second_factor", ErrorReason::ChallengeSecondFactor),
    ("account_verification", ErrorReason::ChallengeAccountVerification),
    ("restriction", ErrorReason::ChallengeRestriction),
    ("unknown_block", ErrorReason::ChallengeBlocked),
];

/// Tests every kind, each with its own account.
///
/// # Errors
///
/// Fails if a challenge had another effect.
pub async fn run_chapter(world: &World) -> Result<()> {
    let account = seller(&world.client, "Camille", 60).await?;
    for (kind, reason) in STOPPING {
        stops(world, &account, kind, reason).await?;
    }
    quiet(world, &account).await
}

async fn stops(world: &World, account: &Account, kind: &str, expected: ErrorReason) -> Result<()> {
    let (publish, accounts) = (world.client.publish(), world.client.accounts());
    let listing = world.listing(account, &format!("Sweat contre {kind}")).await?;
    world.script("photo", None, json!({"challenge": kind})).await?;
    let job = publish.prepare(&listing.id).await?;
    let job = world.settled(&job.id, State::Blocked).await?;
    ensure!(
        job.requires_action && job.reason() == expected && !job.reason_message.is_empty(),
        "{kind}: {job:?}"
    );
    let paused = accounts.get(&account.id).await?;
    ensure!(
        paused.state() == account::State::Paused
            && paused.pause.is_some_and(|pause| pause.reason() == expected),
        "{kind} paused no account"
    );
    accounts.resume(&account.id).await?;
    publish.cancel(&job.id).await?;
    Ok(())
}

/// After a rate limit of the site, no job of the account sends requests during the cooldown, and no person is asked.
async fn quiet(world: &World, account: &Account) -> Result<()> {
    let (publish, accounts) = (world.client.publish(), world.client.accounts());
    let first = world.listing(account, "Sweat trop demandé").await?;
    let second = world.listing(account, "Sweat qui attend aussi").await?;
    world
        .script("photo", None, json!({"challenge": "rate_limit"}))
        .await?;
    let job = publish.prepare(&first.id).await?;
    let until = loop {
        let shown = accounts.get(&account.id).await?;
        if let Some(until) = shown.cooldown_until_time {
            ensure!(shown.state() == account::State::Active, "{shown:?}");
            break until;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    let other = publish.prepare(&second.id).await?;
    for id in [&job.id, &other.id] {
        let waiting = loop {
            let job = publish.get(id).await?;
            match job.waiting {
                Some(waiting) if waiting.why() == Why::RateLimit => break waiting,
                _ => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            }
        };
        ensure!(waiting.until == Some(until), "{waiting:?} instead of {until:?}");
    }
    for id in [&job.id, &other.id] {
        let job = publish.cancel(id).await?;
        ensure!(!job.requires_action, "{job:?}");
    }
    Ok(())
}
