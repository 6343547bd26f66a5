//! One attempt in a real browser: what may be asked of it, in which order.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use vintedbot_marketplace::challenge::Detector;
use vintedbot_marketplace::selectors::{Key, Selectors};
use vintedbot_marketplace::{
    ChangeKind, Changed, Composer, ComposerIdentity, ComposerRequest, Ending, Error, FillStep, Filled, Frame,
    Permit, Published, Saved, StepObserver, Window, WriteError,
};

use super::BrowserConfig;
use super::filling::OPENED_SHOWS_WITHIN;
use super::launch::Launched;
use super::page::{COMES_WITHIN, Page};
use super::write::Click;
use crate::active::Attempt;
use crate::pacing::Pace;
use crate::reading;
use crate::web::{SignedIn, WebSession};

/// How long a browser may take to say which cookies it has.
const TELLS_WITHIN: Duration = Duration::from_secs(2);

/// Which click the open page is ready for.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Ready {
    Nothing,
    Draft,
    Publish,
    Change(Click),
    /// The window is the person's: no click of ours, whatever is asked.
    HandedOver,
}

pub(crate) struct BrowserComposer {
    pub(super) session: Arc<WebSession>,
    pub(super) request: ComposerRequest,
    pub(super) pace: Pace,
    pub(super) page: Page,
    pub(super) ready: Ready,
    /// What the browser was given.
    signed_in: Option<Arc<SignedIn>>,
    launched: Launched,
    attempt: Attempt,
}

/// What an attempt is made with.
pub(crate) struct Equipment {
    pub(crate) selectors: Arc<Selectors>,
    pub(crate) detector: Arc<Detector>,
    pub(crate) pace: Pace,
}

impl BrowserComposer {
    pub(crate) async fn start(
        config: &BrowserConfig,
        session: Arc<WebSession>,
        request: ComposerRequest,
        equipment: Equipment,
        attempt: Attempt,
    ) -> Result<Self, Error> {
        let (launched, traffic) = Launched::start(config, &request.work_dir).await?;
        let own_words = vec![request.content.title.clone(), request.content.description.clone()];
        let mut page = Page::new(
            launched.driver.clone(),
            traffic,
            session.base.clone(),
            equipment.selectors,
            equipment.detector,
            own_words,
        );
        page.is_elsewhere = config.remote.is_some();
        Ok(Self {
            session,
            request,
            pace: equipment.pace,
            page,
            ready: Ready::Nothing,
            signed_in: None,
            launched,
            attempt,
        })
    }

    /// Tells of a step that was done, with a picture of the page and the selector by which its field was found.
    pub(super) async fn step(
        &self,
        steps: &dyn StepObserver,
        step: FillStep,
        detail: &str,
        by: Option<Key>,
    ) -> Result<(), Error> {
        if step != FillStep::SignedIn {
            self.page.uncover().await?;
        }
        let frame = Frame {
            step,
            detail: detail.to_owned(),
            selector: by.and_then(|key| self.page.found_by(key)),
            picture: self.page.thumbnail().await,
        };
        steps.reached(frame).await?;
        self.pace.pause().await;
        Ok(())
    }

    /// Begins anew with a page that is ready for nothing; never with one that was handed over.
    pub(super) fn begin(&mut self) -> Result<(), Error> {
        if self.ready == Ready::HandedOver {
            return Err(Error::Browser(
                "the window was handed over to the person".to_owned(),
            ));
        }
        self.ready = Ready::Nothing;
        Ok(())
    }

    /// Hands the session's cookies to the browser before it has been anywhere.
    pub(super) async fn sign_in(&mut self, steps: &dyn StepObserver) -> Result<(), Error> {
        let signed_in = self.session.signed_in().await?;
        self.signed_in = Some(Arc::clone(&signed_in));
        for (name, value) in &signed_in.cookies {
            let site = self.session.base.as_str();
            self.page.traffic.set_cookie(name, value, site).await?;
        }
        self.step(steps, FillStep::SignedIn, &signed_in.member.login, None)
            .await
    }

    /// The page of an address, with nothing over it.
    pub(super) async fn go_to(&self, path: &str) -> Result<(), Error> {
        let opened = self.page.open(path).await;
        self.harvest().await;
        opened?;
        self.page.uncover().await
    }

    /// Stores the session as the browser has it now: its pages renew it too, and then what we have is worth nothing.
    pub(super) async fn harvest(&self) {
        let Some(signed_in) = &self.signed_in else { return };
        let harvest = async {
            let cookies = self.page.traffic.cookies(self.session.base.as_str()).await?;
            self.session.harvest(signed_in, cookies).await
        };
        match tokio::time::timeout(TELLS_WITHIN, harvest).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "the browser's cookies were not read back"),
            Err(_) => tracing::debug!("the browser did not say its cookies in time"),
        }
    }

    /// The error that says most about what went wrong: a challenge over a page before a field under it, and what the
    /// page looks like with one that has no picture yet.
    pub(super) async fn explained(&self, error: Error) -> Error {
        if matches!(error, Error::Challenge { .. } | Error::Stopped(_)) {
            return error;
        }
        match self.page.look().await {
            Err(challenge @ Error::Challenge { .. }) => return challenge,
            Err(Error::Unusable { what, evidence }) if !matches!(error, Error::Unusable { .. }) => {
                return self.pictured(Error::Unusable { what, evidence }).await;
            }
            _ => {}
        }
        self.pictured(error).await
    }

    async fn pictured(&self, error: Error) -> Error {
        match error {
            Error::Unusable { what, evidence } if evidence.url.is_empty() => Error::Unusable {
                what,
                evidence: Box::new(self.page.evidence().await),
            },
            other => other,
        }
    }

    /// The page is used up by a click, whatever comes of it: nothing is ever clicked twice.
    fn take(&mut self, wanted: impl Fn(&Ready) -> bool) -> Result<Ready, WriteError> {
        if self.ready == Ready::HandedOver {
            return Err(WriteError::NotSent(Error::Browser(
                "the window was handed over to the person".to_owned(),
            )));
        }
        let ready = std::mem::replace(&mut self.ready, Ready::Nothing);
        if wanted(&ready) {
            return Ok(ready);
        }
        Err(WriteError::NotSent(Error::Browser(
            "the page is not ready for this click".to_owned(),
        )))
    }

    async fn click(&self, click: Click, permit: &dyn Permit) -> Result<Option<String>, WriteError> {
        let clicked = self.page.click_once(click, permit).await;
        self.harvest().await;
        clicked
    }
}

#[async_trait]
impl Composer for BrowserComposer {
    fn identity(&self) -> ComposerIdentity {
        self.launched.identity.clone()
    }

    async fn fill(&mut self, steps: &dyn StepObserver) -> Result<Filled, Error> {
        self.begin()?;
        match self.filled(steps).await {
            Ok(filled) => {
                self.ready = Ready::Draft;
                Ok(filled)
            }
            Err(error) => Err(self.explained(error).await),
        }
    }

    async fn open_draft(&mut self, remote_id: &str, steps: &dyn StepObserver) -> Result<Filled, Error> {
        self.begin()?;
        let not_a_draft = || Error::NotADraft {
            remote_id: remote_id.to_owned(),
        };
        let item = self.session.item_json(remote_id).await?.ok_or_else(not_a_draft)?;
        if item["is_draft"] != true {
            return Err(not_a_draft());
        }
        let opened = async {
            let path = format!("/items/{remote_id}/edit");
            self.open_editor(&path, steps).await?;
            // What is on sale already has no button to save it as a draft.
            let is_draft = self.page.comes(Key::SaveDraft, COMES_WITHIN).await?.is_some();
            if !is_draft || self.page.url().await?.path() != path {
                return Err(not_a_draft());
            }
            let filled = self
                .prove(&self.request.content, steps, OPENED_SHOWS_WITHIN)
                .await?;
            // The form shows names; the ids behind them are in the site's own answer.
            reading::mismatch(&reading::of_item(&self.request.content, &item), &filled.evidence)?;
            Ok(filled)
        };
        match opened.await {
            Ok(filled) => {
                self.ready = Ready::Publish;
                Ok(filled)
            }
            Err(error) => Err(self.explained(error).await),
        }
    }

    async fn look(&mut self) -> Result<(), Error> {
        if self.ready == Ready::HandedOver {
            return Ok(());
        }
        self.page.look().await
    }

    async fn save_draft(&mut self, permit: &dyn Permit) -> Result<Saved, WriteError> {
        self.take(|ready| *ready == Ready::Draft)?;
        let remote_id = self.click(Click::SaveDraft, permit).await?;
        Ok(Saved { remote_id })
    }

    async fn publish(&mut self, permit: &dyn Permit) -> Result<Published, WriteError> {
        self.take(|ready| *ready == Ready::Publish)?;
        let remote_id = self.click(Click::Publish, permit).await?;
        Ok(Published {
            remote_id,
            evidence: self.page.evidence().await,
        })
    }

    async fn open_item(
        &mut self,
        remote_id: &str,
        kind: ChangeKind,
        steps: &dyn StepObserver,
    ) -> Result<Filled, Error> {
        self.begin()?;
        match self.opened_item(remote_id, kind, steps).await {
            Ok((filled, click)) => {
                self.ready = Ready::Change(click);
                Ok(filled)
            }
            Err(error) => Err(self.explained(error).await),
        }
    }

    async fn change(&mut self, permit: &dyn Permit) -> Result<Changed, WriteError> {
        let ready = self.take(|ready| matches!(ready, Ready::Change(_)))?;
        if let Ready::Change(click) = ready {
            self.click(click, permit).await?;
        }
        Ok(Changed {
            evidence: self.page.evidence().await,
        })
    }

    async fn hand_over(&mut self) -> Result<(), Error> {
        self.begin()?;
        if self.launched.is_headless {
            return Err(Error::Browser(
                "it has no window that a person could see".to_owned(),
            ));
        }
        self.page.traffic.stop_reading();
        self.ready = Ready::HandedOver;
        Ok(())
    }

    async fn window(&mut self) -> Window {
        match self.page.traffic.shows().await {
            Some(url) if self.launched.is_running() => Window::Open(url),
            _ => Window::Closed,
        }
    }

    async fn quit(self: Box<Self>) -> Ending {
        self.harvest().await;
        let Self {
            launched,
            page,
            attempt,
            ..
        } = *self;
        drop(page);
        let ending = launched.end().await;
        drop(attempt);
        ending
    }
}
