//! Sessions that have ended: invalid on the site, expired, or deleted here.

use std::sync::atomic::Ordering;

use anyhow::{Context as _, Result, ensure};
use vintedbot_domain::Reason;
use vintedbot_domain::accounts::{self, AccountState, SessionState, StoredSessions};
use vintedbot_domain::clock::Clock as _;
use vintedbot_domain::events::Kind;
use vintedbot_marketplace::{Error as SiteError, LostSession, Marketplace as _, Sessions as _};

use crate::bare::reason;
use crate::stage::Stage;

pub async fn invalid_session_pauses_its_account_until_import(stage: Stage) -> Result<()> {
    let stale = stage.import_stale().await?;
    // Another client uses the refresh token, so the site ends the session.
    let thief = stage.other_process()?;
    let account_context = stage.account_context().await?;
    ensure!(
        thief.member(&account_context).await?.login == stage.login(),
        "it is renewed"
    );
    let mut import = stage.wanted(&stale);
    import.expire_time = None;
    ensure!(
        reason(stage.import(import).await) == Some(Reason::SessionInvalid),
        "its token was used"
    );
    // The reuse of an old refresh token has ended every token that descends from it.
    let checked = accounts::check_session(&stage.context, &stage.caller, &stage.account.id).await?;
    let session = checked.session.context("the session is shown")?;
    ensure!(
        session.state == SessionState::Invalid && session.reason == Some(Reason::SessionInvalid),
        "{session:?}"
    );
    ensure!(checked.state == AccountState::Paused);
    let pause = checked.pause.context("a pause")?;
    ensure!(
        pause.reason == Some(Reason::SessionInvalid) && pause.publish_job_id.is_none(),
        "{pause:?}"
    );
    ensure!(accounts::require_session(&stage.look().await?, stage.clock.now()).is_err());

    let fresh = stage.site.sign_in(stage.login()).await?;
    let mut import = stage.wanted(&fresh);
    import.expire_time = Some(stage.clock.now() + 60_000);
    let account = stage.import(import).await?.account;
    ensure!(
        account.state == AccountState::Active && account.pause.is_none(),
        "{account:?}"
    );
    ensure!(stage.happened(Kind::AccountResumed).await? == 1);

    // The session expires and is not used any more.
    stage.clock.0.fetch_add(61_000, Ordering::SeqCst);
    ensure!(accounts::require_session(&stage.look().await?, stage.clock.now()).is_err());
    let over = stage.other_process()?.member(&account_context).await;
    ensure!(
        matches!(over, Err(SiteError::SessionInvalid(LostSession::Expired))),
        "{over:?}"
    );
    ensure!(
        stage
            .look()
            .await?
            .session
            .is_some_and(|session| session.state == SessionState::Invalid)
    );
    stage.close().await
}

pub async fn deleted_session_leaves_no_trace(stage: Stage) -> Result<()> {
    let other = stage.site.sign_in("somebody-else").await?;
    let mut import = stage.wanted(&other);
    import.accept_other_member = true;
    stage.import(import).await?;
    let connector = stage.other_process()?;
    let account_context = stage.account_context().await?;
    ensure!(connector.member(&account_context).await?.login == "somebody-else");
    let account = accounts::forget_session(&stage.context, &stage.caller, &stage.account.id, None).await?;
    ensure!(account.session.is_none());
    ensure!(
        StoredSessions::new(stage.context.clone())
            .load(&account_context)
            .await?
            .is_none()
    );
    // The practice site accepts the account without a session again, also through a connector that had used the
    // session.
    ensure!(connector.member(&account_context).await?.login == stage.login());
    accounts::forget_session(&stage.context, &stage.caller, &stage.account.id, None).await?;
    ensure!(stage.happened(Kind::AccountSessionForgotten).await? == 1);
    let none = accounts::check_session(&stage.context, &stage.caller, &stage.account.id).await;
    ensure!(reason(none) == Some(Reason::SessionRequired));
    stage.close().await
}
