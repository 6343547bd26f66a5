//! The chapter of sessions. A session is imported, used for a publish job, echoed by the site, lost in a kill,
//! replaced, and deleted. Its values are canaries from then on.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};
use vintedbot_proofs::records::SignedIn;
use vintedbot_sdk::v1::import_session_request::Source;
use vintedbot_sdk::v1::publish_job::State;
use vintedbot_sdk::v1::{Account, EventKind, ImportSessionRequest, account, session};
use vintedbot_sdk::{Code, ErrorReason};

use super::published::evidence;
use super::refusals::{metadata, refused};
use super::world::{World, seller};

/// The cookies with which another client could act as the member.
const SECRET: [&str; 4] = [
    "access_token_web",
    "refresh_token_web",
    "_vinted_fr_session",
    "datadome",
];
const AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36";
/// Longer than the wait for a renewal whose process is gone.
const RENEWAL_WAIT: Duration = Duration::from_secs(14);

pub async fn run_chapter(world: &mut World) -> Result<()> {
    let account = seller(&world.client, "Paul", 60).await?;
    refused_ones(world, &account).await.context("refused ones")?;
    used(world, &account).await.context("used")?;
    echoed(world, &account).await.context("echoed")?;
    if !world.is_browser {
        killed(world, &account).await.context("killed")?;
    }
    switched(world, &account).await.context("switched")?;
    forgotten(world, &account).await.context("forgotten")
}

/// A job that was approved for one member is never executed as another.
async fn switched(world: &World, account: &Account) -> Result<()> {
    let title = "Sweat lavande, encore étiqueté";
    let (_, job, confirmation) = world.prepared(account, title).await?;
    let (accounts, publish) = (world.client.accounts(), world.client.publish());
    for login in ["somebody-else", account.member_login.as_str()] {
        let signed_in = sign_in(world, login).await?;
        let other = ImportSessionRequest {
            accept_other_member: true,
            ..request(account, signed_in.header())
        };
        accounts.import_session(other).await?;
        let stopped = publish.get(&job.id).await?;
        ensure!(
            stopped.state() == State::Cancelled && stopped.reason() == ErrorReason::SessionMemberMismatch,
            "{stopped:?}"
        );
        refused(
            publish.confirm(&job.id, &confirmation).await,
            Code::FailedPrecondition,
            ErrorReason::JobStateInvalid,
        )?;
    }
    ensure!(world.published(title).await?.is_empty());
    Ok(())
}

/// Signs in as the account's member in a separate browser. Its cookies must not be found anywhere from now on.
async fn sign_in(world: &World, login: &str) -> Result<SignedIn> {
    let signed_in = world.site.sign_in(login).await?;
    for name in SECRET {
        world.secret(name, signed_in.cookies.get(name).context(name)?);
    }
    Ok(signed_in)
}

fn request(account: &Account, cookie_header: String) -> ImportSessionRequest {
    ImportSessionRequest {
        account_id: account.id.clone(),
        user_agent: AGENT.to_owned(),
        source: Some(Source::CookieHeader(cookie_header)),
        ..Default::default()
    }
}

async fn refused_ones(world: &World, account: &Account) -> Result<()> {
    let accounts = world.client.accounts();
    let signed_in = sign_in(world, &account.member_login).await?;

    let datadome = &signed_in.cookies["datadome"];
    let poor = request(account, format!("Cookie: datadome={datadome}; anon_id=1"));
    let error = refused(
        accounts.import_session(poor).await,
        Code::InvalidArgument,
        ErrorReason::SessionCookiesMissing,
    )?;
    ensure!(metadata(&error, "dropped")? == "datadome");
    ensure!(metadata(&error, "missing")? == "access_token_web,refresh_token_web,_vinted_fr_session");

    let export = |text: String| ImportSessionRequest {
        source: Some(Source::BrowserExport(text)),
        ..request(account, String::new())
    };
    let unreadable = export("neither JSON\nnor cookies".to_owned());
    refused(
        accounts.import_session(unreadable).await,
        Code::InvalidArgument,
        ErrorReason::ValidationFailed,
    )?;
    let elsewhere: Vec<_> = signed_in
        .cookies
        .iter()
        .map(|(name, value)| json!({"name": name, "value": value, "domain": ".vinted.de", "hostOnly": false}))
        .collect();
    let error = refused(
        accounts
            .import_session(export(json!(elsewhere).to_string()))
            .await,
        Code::InvalidArgument,
        ErrorReason::SessionWrongMarket,
    )?;
    ensure!(metadata(&error, "domains")? == "vinted.de");

    let large = request(
        account,
        format!("{}; x={}", signed_in.header(), "y".repeat(1_000_000)),
    );
    let error = refused(
        accounts.import_session(large).await,
        Code::ResourceExhausted,
        ErrorReason::MessageTooLarge,
    )?;
    ensure!(metadata(&error, "max_bytes")? == "65536");

    let other = sign_in(world, "somebody-else").await?;
    let error = refused(
        accounts.import_session(request(account, other.header())).await,
        Code::FailedPrecondition,
        ErrorReason::SessionMemberMismatch,
    )?;
    ensure!(metadata(&error, "member_login")? == "somebody-else");
    refused(
        accounts.check_session(&account.id).await,
        Code::FailedPrecondition,
        ErrorReason::SessionRequired,
    )?;
    ensure!(accounts.get(&account.id).await?.session.is_none());
    Ok(())
}

/// Publishes from end to end with the imported session.
async fn used(world: &World, account: &Account) -> Result<()> {
    let signed_in = sign_in(world, &account.member_login).await?;
    let accounts = world.client.accounts();
    let imported = accounts
        .import_session(request(account, signed_in.header()))
        .await?;
    ensure!(imported.dropped_cookies == ["datadome"], "{imported:?}");
    let shown = imported
        .account
        .and_then(|account| account.session)
        .context("a session")?;
    ensure!(
        shown.state() == session::State::Active && shown.member_login == account.member_login,
        "{shown:?}"
    );
    world
        .watched
        .wait_for(EventKind::AccountSessionImported, &account.id)
        .await?;
    let checked = accounts.check_session(&account.id).await?;
    ensure!(
        checked
            .session
            .is_some_and(|session| session.generation == shown.generation)
    );

    let title = "Sweat vert sauge, peu porté";
    let (_, job, confirmation) = world.prepared(account, title).await?;
    world.client.publish().confirm(&job.id, &confirmation).await?;
    world.settled(&job.id, State::Published).await?;
    ensure!(world.published(title).await?.len() == 1);
    Ok(())
}

/// A careless site echoes the access token in a page, in an error and in an address. vintedbot stores none of them.
async fn echoed(world: &World, account: &Account) -> Result<()> {
    let on = if world.is_browser { "form" } else { "photo" };
    for (place, ends_as) in [
        ("page", State::Blocked),
        ("error", State::Failed),
        ("redirect", State::Blocked),
    ] {
        if world.is_browser && place != "page" {
            // The browser follows the redirect. The text of the page is stored.
            continue;
        }
        let title = format!("Sweat répété, {place}");
        world.script(on, None, json!({"echo_token": place})).await?;
        let listing = world.listing(account, &title).await?;
        let job = world.client.publish().prepare(&listing.id).await?;
        let job = world.settled(&job.id, ends_as).await.context(place)?;
        let before = world.pages().len();
        evidence(world, &job).await?;
        let texts: Vec<_> = world.pages().into_iter().skip(before).collect();
        // An address with the token is stored nowhere. The canary search verifies that.
        ensure!(
            place == "redirect"
                || texts.iter().any(|(_, text)| text.contains("[removed]"))
                || job.reason_message.contains("[removed]"),
            "nothing was repeated and taken out in {place}: {texts:?} {job:?}"
        );
        if ends_as == State::Blocked {
            world.client.publish().cancel(&job.id).await?;
            world.client.accounts().resume(&account.id).await?;
        }
    }
    Ok(())
}

/// The program is killed after the site has renewed the session and before the new tokens are stored.
async fn killed(world: &mut World, account: &Account) -> Result<()> {
    // A token that is about to expire is renewed when the account is checked, which an import triggers.
    world.site.set(&json!({"access_token_ttl_s": 120})).await?;
    let signed_in = sign_in(world, &account.member_login).await?;
    world.site.set(&json!({"access_token_ttl_s": 7_200})).await?;
    let accounts = world.client.accounts();
    let since = world.site.last_seq().await?;
    world
        .script("refresh", None, json!({"answer_late_ms": 20_000}))
        .await?;
    accounts
        .import_session(request(account, signed_in.header()))
        .await?;
    let until = Instant::now() + Duration::from_secs(20);
    while world.site.refreshes(since).await? != (1, 0) {
        ensure!(Instant::now() < until, "the session was not renewed");
        sleep(Duration::from_millis(20)).await;
    }
    world.instance.kill().await?;
    sleep(RENEWAL_WAIT).await;
    world.restart().await?;

    // On the next check, which may be automatic, the old token is tried once and the site refuses it.
    let until = Instant::now() + Duration::from_secs(60);
    let lost = loop {
        let asked = timeout(Duration::from_secs(20), accounts.check_session(&account.id)).await;
        match asked {
            Ok(Ok(checked)) if checked.session.as_ref().is_some_and(is_invalid) => break checked,
            _ => ensure!(Instant::now() < until, "it was not found out: {asked:?}"),
        }
        sleep(Duration::from_millis(200)).await;
    };
    let reason = lost.session.as_ref().map(|session| session.reason());
    ensure!(reason == Some(ErrorReason::SessionLostInRefresh), "{lost:?}");
    ensure!(lost.state() == account::State::Paused, "{lost:?}");
    ensure!(world.site.refreshes(since).await? == (1, 1));
    world
        .watched
        .wait_for(EventKind::AccountSessionInvalidated, &account.id)
        .await?;

    let listing = world.listing(account, "Sweat sans session").await?;
    refused(
        world.client.publish().prepare(&listing.id).await,
        Code::FailedPrecondition,
        ErrorReason::SessionInvalid,
    )?;
    let fresh = sign_in(world, &account.member_login).await?;
    let imported = accounts.import_session(request(account, fresh.header())).await?;
    let resumed = imported.account.context("the account")?;
    ensure!(resumed.state() == account::State::Active, "{resumed:?}");
    Ok(())
}

fn is_invalid(session: &vintedbot_sdk::v1::Session) -> bool {
    session.state() == session::State::Invalid
}

async fn forgotten(world: &World, account: &Account) -> Result<()> {
    let accounts = world.client.accounts();
    let (_, job, _) = world.prepared(account, "Sweat kaki, deux poches").await?;
    let forgotten = accounts.forget_session(&account.id).await?;
    ensure!(forgotten.session.is_none());
    let stopped = world.client.publish().get(&job.id).await?;
    ensure!(stopped.state() == State::Cancelled, "{stopped:?}");
    accounts
        .forget_session(&account.id)
        .await
        .context("forgetting none")?;
    world
        .watched
        .wait_for(EventKind::AccountSessionForgotten, &account.id)
        .await?;
    let database = world.database().await?;
    let rows = database.dump().await?;
    database.close().await?;
    let of_account = rows
        .iter()
        .any(|(name, text)| name.starts_with("table sessions") && text.contains(&account.id));
    ensure!(!of_account, "a row of it is left");
    Ok(())
}
