//! Session imports: tests, refusals, rate limits, and the binding to a site.

use std::sync::atomic::Ordering;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use vintedbot_domain::accounts::{
    self, AccountState, ImportSession, Mode, SessionSource, SessionState, SetMode,
};
use vintedbot_domain::clock::Clock as _;
use vintedbot_domain::events::{self, Kind};
use vintedbot_domain::ids::{Ids as _, SystemIds};
use vintedbot_domain::{Error, Reason};
use vintedbot_marketplace::{Error as SiteError, Marketplace as _};
use zeroize::Zeroizing;

use crate::bare::reason;
use crate::stage::{AGENT, Stage};

pub async fn imported_session_is_tested_before_use(stage: Stage) -> Result<()> {
    let signed_in = stage.site.sign_in(stage.login()).await?;
    let mut import = stage.wanted(&signed_in);
    import.request_id = Some(SystemIds.id());
    let imported = stage.import(import.clone()).await?;
    ensure!(
        imported.dropped == ["datadome"] && imported.missing.is_empty(),
        "{imported:?}"
    );
    let session = imported.account.session.context("it is shown")?;
    ensure!(
        session.state == SessionState::Active && session.generation == 1,
        "{session:?}"
    );
    ensure!(
        session.member_login == stage.login() && session.check_time.is_some(),
        "{session:?}"
    );
    ensure!(
        session.cookie_names.len() == signed_in.cookies.len() - 1,
        "{session:?}"
    );
    ensure!(stage.stored().await?.user_agent == AGENT);

    // The same call returns the existing session.
    let again = stage.import(import.clone()).await?;
    ensure!(
        again.account.session.as_ref().map(|session| session.generation) == Some(1)
            && again.dropped == imported.dropped
    );
    import.user_agent = "Other/1.0".to_owned();
    ensure!(reason(stage.import(import).await) == Some(Reason::RequestIdReused));
    ensure!(stage.happened(Kind::AccountSessionImported).await? == 1);

    // No secret is stored in plain text: neither in the session's row, nor in events, nor in recorded requests.
    let access = &signed_in.cookies["access_token_web"];
    let page = events::read(&stage.context.store, &stage.caller.workspace_id, 0, 1_000).await?;
    ensure!(
        page.events
            .iter()
            .all(|event| !event.payload.contains(access.as_str()))
    );

    let checked = accounts::check_session(&stage.context, &stage.caller, &stage.account.id).await?;
    ensure!(
        checked
            .session
            .is_some_and(|checked| checked.check_time >= session.check_time)
    );
    ensure!(stage.site.refreshes(0).await? == (0, 0));
    stage.close().await
}

pub async fn failed_import_changes_nothing(stage: Stage) -> Result<()> {
    let good = stage.site.sign_in(stage.login()).await?;
    stage.import(stage.wanted(&good)).await?;
    stage.idle().await?;
    let before = stage.look().await?;

    let mut dead = good.clone();
    for name in ["access_token_web", "refresh_token_web"] {
        dead.cookies
            .insert(name.to_owned(), "eyJub25lIn0.e30.x".to_owned());
    }
    ensure!(reason(stage.import(stage.wanted(&dead)).await) == Some(Reason::SessionInvalid));

    let other = stage.site.sign_in("somebody-else").await?;
    let error = stage
        .import(stage.wanted(&other))
        .await
        .expect_err("another member");
    ensure!(error.reason() == Some(Reason::SessionMemberMismatch), "{error}");
    ensure!(error.to_string().contains("somebody-else"), "{error}");

    let mut missing = good.clone();
    missing.cookies.remove("refresh_token_web");
    let error = stage
        .import(stage.wanted(&missing))
        .await
        .expect_err("no refresh token");
    ensure!(error.reason() == Some(Reason::SessionCookiesMissing), "{error}");

    let large = ImportSession {
        source: SessionSource::BrowserExport(Zeroizing::new(" ".repeat(1_000_000))),
        ..stage.wanted(&good)
    };
    ensure!(reason(stage.import(large).await) == Some(Reason::MessageTooLarge));

    stage
        .site
        .add_rule(&json!({"on": "current_user", "times": 1, "do": {"status_403": true}}))
        .await?;
    ensure!(reason(stage.import(stage.wanted(&good)).await) == Some(Reason::ChallengeBotCheck));

    let after = stage.look().await?;
    ensure!(
        after.session == before.session && after.state == AccountState::Active,
        "{after:?}"
    );

    let mut accepted = stage.wanted(&other);
    accepted.accept_other_member = true;
    let imported = stage.import(accepted).await?;
    ensure!(imported.account.member_login.as_deref() == Some("somebody-else"));
    stage.close().await
}

pub async fn session_is_bound_to_its_site(stage: Stage) -> Result<()> {
    let signed_in = stage.site.sign_in(stage.login()).await?;
    stage.import(stage.wanted(&signed_in)).await?;
    let set = |mode| SetMode {
        id: stage.account.id.clone(),
        mode,
        automated_acknowledged: true,
        request_id: None,
        second_account_acknowledged: false,
    };
    let (account, _) = accounts::set_mode(&stage.context, &stage.caller, set(Mode::Automated)).await?;
    ensure!(
        account.session.is_none() && account.member_id.is_none(),
        "{account:?}"
    );
    let refused = accounts::require_session(&account, stage.clock.now());
    ensure!(reason(refused) == Some(Reason::SessionRequired));
    let account_context = stage.account_context().await?;
    ensure!(account_context.site == "vinted.fr");
    let nowhere = stage.other_process()?.member(&account_context).await;
    ensure!(matches!(nowhere, Err(SiteError::NoSession(_))), "{nowhere:?}");
    let export = ImportSession {
        source: SessionSource::BrowserExport(Zeroizing::new(
            r#"[{"name":"access_token_web","value":"a","domain":".vinted.de"},
                {"name":"refresh_token_web","value":"b","domain":".vinted.de"},
                {"name":"_vinted_fr_session","value":"c","domain":".vinted.de"}]"#
                .to_owned(),
        )),
        ..stage.wanted(&signed_in)
    };
    ensure!(reason(stage.import(export).await) == Some(Reason::SessionWrongMarket));

    let (account, _) = accounts::set_mode(&stage.context, &stage.caller, set(Mode::Mock)).await?;
    ensure!(
        account
            .session
            .is_some_and(|session| session.state == SessionState::Active)
    );
    ensure!(account.member_login.as_deref() == Some(stage.login()));
    stage.close().await
}

pub async fn imports_are_rate_limited(stage: Stage) -> Result<()> {
    let signed_in = stage.site.sign_in(stage.login()).await?;
    for _ in 0..6 {
        stage.import(stage.wanted(&signed_in)).await?;
    }
    let error = stage
        .import(stage.wanted(&signed_in))
        .await
        .expect_err("one too many");
    let Error::Rejected(rejection) = error else {
        anyhow::bail!("{error}");
    };
    ensure!(rejection.reason == Reason::RateLimited, "{rejection:?}");
    ensure!(rejection.metadata["limit"] == "imports_per_hour");
    ensure!(
        rejection.retry_after_ms.is_some_and(|wait| wait > 3_000_000),
        "{rejection:?}"
    );
    stage.clock.0.fetch_add(3_600_000, Ordering::SeqCst);
    stage.import(stage.wanted(&signed_in)).await?;
    stage.close().await
}
