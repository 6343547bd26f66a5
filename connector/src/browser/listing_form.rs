//! One attempt at the listing form in a real browser, and the order of its calls.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use vintedbot_marketplace::challenge::Detector;
use vintedbot_marketplace::selectors::{Key, Selectors};
use vintedbot_marketplace::{
    BrowserWindow, ChangeKind, Changed, Ending, Error, FillStep, Filled, ListingFormDriver,
    ListingFormIdentity, ListingFormRequest, Permit, Published, Saved, StepObserver, TimelineStep,
    WriteError,
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

/// The time limit for reading the browser's cookies.
const COOKIES_WITHIN: Duration = Duration::from_secs(2);

/// The click for which the open page is ready.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Ready {
    Nothing,
    Draft,
    Publish,
    Change(Click),
    /// The person uses the window. Every call that would click fails.
    ManualTakeover,
}

pub(crate) struct BrowserFormDriver {
    pub(super) session: Arc<WebSession>,
    pub(super) request: ListingFormRequest,
    pub(super) pace: Pace,
    pub(super) page: Page,
    pub(super) ready: Ready,
    /// The session whose cookies the browser was given.
    signed_in: Option<Arc<SignedIn>>,
    launched: Launched,
    attempt: Attempt,
}

/// The components that an attempt uses.
pub(crate) struct Equipment {
    pub(crate) selectors: Arc<Selectors>,
    pub(crate) detector: Arc<Detector>,
    pub(crate) pace: Pace,
}

impl BrowserFormDriver {
    pub(crate) async fn start(
        config: &BrowserConfig,
        session: Arc<WebSession>,
        request: ListingFormRequest,
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

    /// Reports a completed step, with a picture of the page and the selector that found its field.
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
        let timeline_step = TimelineStep {
            step,
            detail: detail.to_owned(),
            selector: by.and_then(|key| self.page.found_by(key)),
            picture: self.page.thumbnail().await,
        };
        steps.reached(timeline_step).await?;
        self.pace.pause().await;
        Ok(())
    }

    /// Resets the page so that no click is ready. Fails after a manual takeover.
    pub(super) fn begin(&mut self) -> Result<(), Error> {
        if self.ready == Ready::ManualTakeover {
            return Err(Error::Browser("the person has taken over the window".to_owned()));
        }
        self.ready = Ready::Nothing;
        Ok(())
    }

    /// Gives the session's cookies to the browser before its first navigation.
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

    /// Opens a page of the site and closes what covers it.
    pub(super) async fn go_to(&self, path: &str) -> Result<(), Error> {
        let opened = self.page.open(path).await;
        self.capture_cookies().await;
        opened?;
        self.page.uncover().await
    }

    /// Stores the session's cookies as the browser has them. The site's pages renew the session too, and the stored
    /// tokens are then invalid.
    pub(super) async fn capture_cookies(&self) {
        let Some(signed_in) = &self.signed_in else { return };
        let captured = async {
            let cookies = self.page.traffic.cookies(self.session.base.as_str()).await?;
            self.session.capture_cookies(signed_in, cookies).await
        };
        match tokio::time::timeout(COOKIES_WITHIN, captured).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "the browser's cookies could not be read or stored"),
            Err(_) => tracing::debug!("the browser did not return its cookies in time"),
        }
    }

    /// Returns the error that best explains a failure. A challenge on the page takes precedence over a missing field
    /// under it. An unusable page without evidence gets a screenshot.
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

    /// Takes the prepared click. Every outcome of a click uses it up, so that nothing is clicked twice.
    fn take(&mut self, wanted: impl Fn(&Ready) -> bool) -> Result<Ready, WriteError> {
        if self.ready == Ready::ManualTakeover {
            return Err(WriteError::NotSent(Error::Browser(
                "the person has taken over the window".to_owned(),
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
        self.capture_cookies().await;
        clicked
    }
}

#[async_trait]
impl ListingFormDriver for BrowserFormDriver {
    fn identity(&self) -> ListingFormIdentity {
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
            // An item that is on sale has no button to save it as a draft.
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
        if self.ready == Ready::ManualTakeover {
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

    async fn manual_takeover(&mut self) -> Result<(), Error> {
        self.begin()?;
        if self.launched.is_headless {
            return Err(Error::Browser(
                "it runs headless, so there is no window to take over".to_owned(),
            ));
        }
        self.page.traffic.stop_reading();
        self.ready = Ready::ManualTakeover;
        Ok(())
    }

    async fn window(&mut self) -> BrowserWindow {
        match self.page.traffic.shows().await {
            Some(url) if self.launched.is_running() => BrowserWindow::Open(url),
            _ => BrowserWindow::Closed,
        }
    }

    async fn quit(self: Box<Self>) -> Ending {
        self.capture_cookies().await;
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
