//! Sessions that are over: dead on the site, past their time, forgotten here.

use std::sync::atomic::Ordering;

use anyhow::{Context as _, Result, ensure};
use vintedbot_domain::Reason;
use vintedbot_domain::accounts::{self, AccountState, SessionState, StoredSessions};
use vintedbot_domain::clock::Clock as _;
use vintedbot_domain::events::Kind;
use vintedbot_marketplace::{Error as SiteError, LostSession, Marketplace as _, Sessions as _};

use crate::bare::reason;
use crate::stage::Stage;

pub async fn a_dead_session_stops_its_account_and_a_new_one_starts_it(stage: Stage) -> Result<()> {
    let stale = stage.import_stale().await?;
    // Somebody else uses the refresh token: the site ends the session.
    let thief = stage.other_process()?;
    let seat = stage.seat().await?;
    ensure!(thief.member(&seat).await?.login == stage.login(), "it is renewed");
    let mut import = stage.wanted(&stale);
    import.expire_time = None;
    ensure!(
        reason(stage.import(import).await) == Some(Reason::SessionInvalid),
        "its token was used"
    );
    // The second use of an old token has ended every token that came of it.
    let checked = accounts::check_session(&stage.domain, &stage.caller, &stage.account.id).await?;
    let session = checked.session.context("it is shown as it is")?;
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

    // Its time passes, and it is not used any more.
    stage.clock.0.fetch_add(61_000, Ordering::SeqCst);
    ensure!(accounts::require_session(&stage.look().await?, stage.clock.now()).is_err());
    let over = stage.other_process()?.member(&seat).await;
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

pub async fn a_forgotten_session_is_nowhere(stage: Stage) -> Result<()> {
    let other = stage.site.sign_in("somebody-else").await?;
    let mut import = stage.wanted(&other);
    import.accept_other_member = true;
    stage.import(import).await?;
    let connector = stage.other_process()?;
    let seat = stage.seat().await?;
    ensure!(connector.member(&seat).await?.login == "somebody-else");
    let account = accounts::forget_session(&stage.domain, &stage.caller, &stage.account.id, None).await?;
    ensure!(account.session.is_none());
    ensure!(
        StoredSessions::new(stage.domain.clone())
            .load(&seat)
            .await?
            .is_none()
    );
    // The practice site is entered without one again, by a connector that had used it too.
    ensure!(connector.member(&seat).await?.login == stage.login());
    accounts::forget_session(&stage.domain, &stage.caller, &stage.account.id, None).await?;
    ensure!(stage.happened(Kind::AccountSessionForgotten).await? == 1);
    let none = accounts::check_session(&stage.domain, &stage.caller, &stage.account.id).await;
    ensure!(reason(none) == Some(Reason::SessionRequired));
    stage.close().await
}
