//! Sessions that are renewed: by several at once, by one that dies, by one that gets no answer.

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
    Cookies, Error as SiteError, LostSession, Marketplace as _, Renewal, Seat, Session, Sessions,
};

use crate::stage::{Stage, WAITED_OUT, connector};

/// A process that dies when the site has answered, before anything is stored.
struct DiesBeforeStoring(StoredSessions);

#[async_trait]
impl Sessions for DiesBeforeStoring {
    async fn load(&self, seat: &Seat) -> Result<Option<Session>, SiteError> {
        self.0.load(seat).await
    }

    async fn begin(&self, seat: &Seat, generation: i64) -> Result<Renewal, SiteError> {
        self.0.begin(seat, generation).await
    }

    async fn renewed(&self, _: &Seat, _: i64, _: Cookies) -> Result<Option<Session>, SiteError> {
        std::future::pending().await
    }

    async fn abandoned(&self, seat: &Seat, generation: i64) -> Result<(), SiteError> {
        self.0.abandoned(seat, generation).await
    }

    async fn lost(&self, seat: &Seat, generation: i64, why: LostSession) -> Result<(), SiteError> {
        self.0.lost(seat, generation, why).await
    }

    async fn harvested(
        &self,
        seat: &Seat,
        generation: i64,
        cookies: Cookies,
    ) -> Result<Option<Session>, SiteError> {
        self.0.harvested(seat, generation, cookies).await
    }
}

pub async fn many_at_once_renew_a_session_once_and_a_persons_import_wins(stage: Stage) -> Result<()> {
    stage.import_stale().await?;
    let seat = stage.seat().await?;
    let (one, two) = (stage.other_process()?, stage.other_process()?);
    let since = stage.site.last_seq().await?;
    let fresh = stage.site.sign_in(stage.login()).await?;
    let mut readers = Vec::new();
    for connector in [&one, &two, &one, &two, &one, &two] {
        readers.push(connector.member(&seat));
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
        "what the person brought is not what is in use"
    );
    ensure!(
        imported
            .account
            .session
            .is_some_and(|session| session.generation >= 2)
    );

    // Without an import in between it is renewed exactly once, whoever asks.
    stage.import_stale().await?;
    let since = stage.site.last_seq().await?;
    let readers = [&one, &two, &one, &two].map(|connector| connector.member(&seat));
    for member in join_all(readers).await {
        ensure!(member?.login == stage.login());
    }
    let refreshes = stage.site.refreshes(since).await?;
    ensure!(refreshes == (1, 0), "{refreshes:?}");
    stage.close().await
}

pub async fn a_kill_before_the_new_tokens_are_stored_costs_the_session_and_says_so(
    stage: Stage,
) -> Result<()> {
    stage.import_stale().await?;
    let seat = stage.seat().await?;
    let since = stage.site.last_seq().await?;
    let sessions = DiesBeforeStoring(StoredSessions::new(stage.domain.clone()));
    let dying = connector(&stage.site, &stage.domain, sessions)?;
    ensure!(
        timeout(Duration::from_secs(2), dying.member(&seat))
            .await
            .is_err()
    );
    ensure!(
        stage.site.refreshes(since).await? == (1, 0),
        "the site has renewed it"
    );
    drop(dying);

    // While the site may still be at it, nobody else asks.
    let next = stage.other_process()?;
    ensure!(matches!(
        StoredSessions::new(stage.domain.clone()).begin(&seat, 1).await?,
        Renewal::Busy
    ));
    stage.clock.0.fetch_add(WAITED_OUT, Ordering::SeqCst);
    let lost = next.member(&seat).await;
    ensure!(
        matches!(lost, Err(SiteError::SessionInvalid(LostSession::LostInRefresh))),
        "{lost:?}"
    );
    // Tried once, and refused.
    ensure!(stage.site.refreshes(since).await? == (1, 1));
    let account = stage.look().await?;
    let session = account.session.context("it is shown as it is")?;
    ensure!(
        session.state == SessionState::Invalid && session.reason == Some(Reason::SessionLostInRefresh),
        "{session:?}"
    );
    ensure!(account.state == AccountState::Paused);
    ensure!(stage.happened(Kind::AccountSessionInvalidated).await? == 1);
    let again = next.member(&seat).await;
    ensure!(matches!(
        again,
        Err(SiteError::SessionInvalid(LostSession::LostInRefresh))
    ));
    ensure!(stage.site.refreshes(since).await? == (1, 1), "it was asked again");
    stage.close().await
}

pub async fn a_lost_answer_is_made_good_where_the_site_still_takes_the_old_tokens(
    stage: Stage,
) -> Result<()> {
    stage
        .site
        .set(&json!({"refresh_grace_ms": 600_000, "revoke_access_on_refresh": false}))
        .await?;
    stage.import_stale().await?;
    let seat = stage.seat().await?;
    let since = stage.site.last_seq().await?;
    stage
        .site
        .add_rule(&json!({"on": "refresh", "times": 1, "do": {"accept_then_cut": true}}))
        .await?;
    let connector = stage.other_process()?;
    // Its access token is good for a while, so that nothing is lost by the answer.
    ensure!(connector.member(&seat).await?.login == stage.login());
    ensure!(stage.stored().await?.generation == 1);
    stage.clock.0.fetch_add(WAITED_OUT, Ordering::SeqCst);
    ensure!(connector.member(&seat).await?.login == stage.login());
    ensure!(stage.site.refreshes(since).await? == (2, 0));
    let account = stage.look().await?;
    ensure!(account.state == AccountState::Active);
    ensure!(account.session.is_some_and(|session| session.generation == 2));
    stage.close().await
}

pub async fn an_expired_token_is_renewed_while_it_is_tried(stage: Stage) -> Result<()> {
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
        "the new token was not kept"
    );
    ensure!(stage.other_process()?.member(&stage.seat().await?).await?.login == stage.login());
    stage.close().await
}
