//! Session renewals: concurrent, killed halfway, and without an answer.

use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use async_trait::async_trait;
use futures::future::join_all;
use serde_json::json;
use tokio::time::timeout;
use vintedbot_domain::Reason;
use vintedbot_domain::accounts::{AccountState, SessionState, StoredSessions};
use vintedbot_domain::events::Kind;
use vintedbot_marketplace::{
    AccountContext, Cookies, Error as SiteError, LostSession, Marketplace as _, Renewal, Session, Sessions,
};

use crate::stage::{RENEWAL_WAIT, Stage, connector};

/// A process that dies after the site's answer and before the new tokens are stored.
struct DiesBeforeStoring(StoredSessions);

#[async_trait]
impl Sessions for DiesBeforeStoring {
    async fn load(&self, account_context: &AccountContext) -> Result<Option<Session>, SiteError> {
        self.0.load(account_context).await
    }

    async fn begin(&self, account_context: &AccountContext, generation: i64) -> Result<Renewal, SiteError> {
        self.0.begin(account_context, generation).await
    }

    async fn renewed(&self, _: &AccountContext, _: i64, _: Cookies) -> Result<Option<Session>, SiteError> {
        std::future::pending().await
    }

    async fn abandoned(&self, account_context: &AccountContext, generation: i64) -> Result<(), SiteError> {
        self.0.abandoned(account_context, generation).await
    }

    async fn lost(
        &self,
        account_context: &AccountContext,
        generation: i64,
        why: LostSession,
    ) -> Result<(), SiteError> {
        self.0.lost(account_context, generation, why).await
    }

    async fn cookies_captured(
        &self,
        account_context: &AccountContext,
        generation: i64,
        cookies: Cookies,
    ) -> Result<Option<Session>, SiteError> {
        self.0
            .cookies_captured(account_context, generation, cookies)
            .await
    }
}

pub async fn concurrent_renewal_runs_once_and_import_wins(stage: Stage) -> Result<()> {
    stage.import_stale().await?;
    let account_context = stage.account_context().await?;
    let (one, two) = (stage.other_process()?, stage.other_process()?);
    let since = stage.site.last_seq().await?;
    let fresh = stage.site.sign_in(stage.login()).await?;
    let mut readers = Vec::new();
    for connector in [&one, &two, &one, &two, &one, &two] {
        readers.push(connector.member(&account_context));
    }
    let (read, imported) = tokio::join!(join_all(readers), stage.import(stage.wanted(&fresh)));
    for member in read {
        ensure!(member?.login == stage.login());
    }
    let imported = imported?;
    let (granted, refused) = stage.site.refreshes(since).await?;
    ensure!(
        granted <= 1 && refused == 0,
        "{granted} granted, {refused} refused"
    );
    let stored = stage.stored().await?;
    ensure!(
        stored.cookies.get("access_token_web") == fresh.cookies.get("access_token_web").map(String::as_str),
        "the imported session is not in use"
    );
    ensure!(
        imported
            .account
            .session
            .is_some_and(|session| session.generation >= 2)
    );

    // Without an import in between, concurrent callers renew the session exactly once.
    stage.import_stale().await?;
    let since = stage.site.last_seq().await?;
    let readers = [&one, &two, &one, &two].map(|connector| connector.member(&account_context));
    for member in join_all(readers).await {
        ensure!(member?.login == stage.login());
    }
    let refreshes = stage.site.refreshes(since).await?;
    ensure!(refreshes == (1, 0), "{refreshes:?}");
    stage.close().await
}

pub async fn kill_before_storing_new_tokens_ends_the_session(stage: Stage) -> Result<()> {
    stage.import_stale().await?;
    let account_context = stage.account_context().await?;
    let since = stage.site.last_seq().await?;
    let sessions = DiesBeforeStoring(StoredSessions::new(stage.context.clone()));
    let dying = connector(&stage.site, &stage.context, sessions)?;
    ensure!(
        timeout(Duration::from_secs(2), dying.member(&account_context))
            .await
            .is_err()
    );
    ensure!(
        stage.site.refreshes(since).await? == (1, 0),
        "the site has renewed it"
    );
    drop(dying);

    // While the site may still process the request, no other process sends one.
    let next = stage.other_process()?;
    ensure!(matches!(
        StoredSessions::new(stage.context.clone())
            .begin(&account_context, 1)
            .await?,
        Renewal::Busy
    ));
    stage.clock.0.fetch_add(RENEWAL_WAIT, Ordering::SeqCst);
    let lost = next.member(&account_context).await;
    ensure!(
        matches!(lost, Err(SiteError::SessionInvalid(LostSession::LostInRefresh))),
        "{lost:?}"
    );
    // The old token is tried once and refused.
    ensure!(stage.site.refreshes(since).await? == (1, 1));
    let account = stage.look().await?;
    let session = account.session.context("the session is shown")?;
    ensure!(
        session.state == SessionState::Invalid && session.reason == Some(Reason::SessionLostInRefresh),
        "{session:?}"
    );
    ensure!(account.state == AccountState::Paused);
    ensure!(stage.happened(Kind::AccountSessionInvalidated).await? == 1);
    let again = next.member(&account_context).await;
    ensure!(matches!(
        again,
        Err(SiteError::SessionInvalid(LostSession::LostInRefresh))
    ));
    ensure!(stage.site.refreshes(since).await? == (1, 1), "it was asked again");
    stage.close().await
}

pub async fn lost_refresh_answer_recovers_if_old_token_is_valid(stage: Stage) -> Result<()> {
    stage
        .site
        .set(&json!({"refresh_grace_ms": 600_000, "revoke_access_on_refresh": false}))
        .await?;
    stage.import_stale().await?;
    let account_context = stage.account_context().await?;
    let since = stage.site.last_seq().await?;
    stage
        .site
        .add_rule(&json!({"on": "refresh", "times": 1, "do": {"accept_then_cut": true}}))
        .await?;
    let connector = stage.other_process()?;
    // The access token is valid for a while, so the lost answer costs nothing.
    ensure!(connector.member(&account_context).await?.login == stage.login());
    ensure!(stage.stored().await?.generation == 1);
    stage.clock.0.fetch_add(RENEWAL_WAIT, Ordering::SeqCst);
    ensure!(connector.member(&account_context).await?.login == stage.login());
    ensure!(stage.site.refreshes(since).await? == (2, 0));
    let account = stage.look().await?;
    ensure!(account.state == AccountState::Active);
    ensure!(account.session.is_some_and(|session| session.generation == 2));
    stage.close().await
}

pub async fn expired_token_is_renewed_during_import(stage: Stage) -> Result<()> {
    stage.site.set(&json!({"access_token_ttl_s": 0})).await?;
    let signed_in = stage.site.sign_in(stage.login()).await?;
    stage.site.set(&json!({"access_token_ttl_s": 7_200})).await?;
    let since = stage.site.last_seq().await?;
    let imported = stage.import(stage.wanted(&signed_in)).await?;
    ensure!(
        imported
            .account
            .session
            .is_some_and(|session| session.generation == 1)
    );
    ensure!(stage.site.refreshes(since).await? == (1, 0));
    let stored = stage.stored().await?;
    ensure!(
        stored.cookies.get("refresh_token_web")
            != signed_in.cookies.get("refresh_token_web").map(String::as_str),
        "the new token was not stored"
    );
    ensure!(
        stage
            .other_process()?
            .member(&stage.account_context().await?)
            .await?
            .login
            == stage.login()
    );
    stage.close().await
}
