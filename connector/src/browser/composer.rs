//! One attempt in a real browser: the steps in order, and the two clicks that cannot be taken back.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use vintedbot_marketplace::challenge::Detector;
use vintedbot_marketplace::selectors::{Key, Selectors};
use vintedbot_marketplace::{
    ChangeKind, Changed, Composer, ComposerIdentity, ComposerRequest, Ending, Error, Field, FillStep, Filled,
    Frame, Permit, Published, Saved, StepObserver, Window, WriteError,
};

use super::BrowserConfig;
use super::launch::Launched;
use super::page::{COMES_WITHIN, Page, within};
use super::write::Click;
use crate::active::Attempt;
use crate::pacing::Pace;
use crate::reading;
use crate::web::{SignedIn, WebSession};

/// How long a form whose fields have all been proved may take to show them all together.
const FILLED_SHOWS_WITHIN: Duration = Duration::from_secs(2);
/// How long a form that is opened with an item in it may take to show all of it.
const OPENED_SHOWS_WITHIN: Duration = Duration::from_secs(15);

/// Which click the open page is ready for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ready {
    Nothing,
    Draft,
    Publish,
}

pub(crate) struct BrowserComposer {
    session: Arc<WebSession>,
    request: ComposerRequest,
    pace: Pace,
    page: Page,
    ready: Ready,
    /// What the browser was given.
    signed_in: Option<Arc<SignedIn>>,
    launched: Launched,
    attempt: Attempt,
}

/// How long a browser may take to say which cookies it has.
const TELLS_WITHIN: Duration = Duration::from_secs(2);

impl BrowserComposer {
    pub(crate) async fn start(
        config: &BrowserConfig,
        session: Arc<WebSession>,
        request: ComposerRequest,
        selectors: Arc<Selectors>,
        detector: Arc<Detector>,
        pace: Pace,
        attempt: Attempt,
    ) -> Result<Self, Error> {
        let (launched, traffic) = Launched::start(config, &request.work_dir).await?;
        let own_words = vec![request.content.title.clone(), request.content.description.clone()];
        let page = Page::new(
            launched.driver.clone(),
            traffic,
            session.base.clone(),
            selectors,
            detector,
            own_words,
        );
        Ok(Self {
            session,
            request,
            pace,
            page,
            ready: Ready::Nothing,
            signed_in: None,
            launched,
            attempt,
        })
    }

    async fn step(&self, steps: &dyn StepObserver, step: FillStep, detail: &str) -> Result<(), Error> {
        let frame = Frame {
            step,
            detail: detail.to_owned(),
            selector: None,
            picture: None,
        };
        steps.reached(frame).await?;
        self.pace.pause().await;
        Ok(())
    }

    /// Hands the session's cookies to the browser before it has been anywhere.
    async fn sign_in(&mut self, steps: &dyn StepObserver) -> Result<(), Error> {
        let signed_in = self.session.signed_in().await?;
        self.signed_in = Some(Arc::clone(&signed_in));
        for (name, value) in &signed_in.cookies {
            let site = self.session.base.as_str();
            self.page.traffic.set_cookie(name, value, site).await?;
        }
        self.step(steps, FillStep::SignedIn, &signed_in.member.login)
            .await
    }

    /// Stores the session as the browser has it now: its pages renew it too, and then what we have is worth nothing.
    async fn harvest(&self) {
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

    /// Opens the empty form. The site sometimes answers a direct visit with its home page, from where its own link leads
    /// to the form (as seen 2026, confidence A).
    async fn open_form(&mut self) -> Result<(), Error> {
        self.page.open("/items/new").await?;
        if self.page.url().await?.path() == "/" && self.page.press(Key::SellButton, COMES_WITHIN).await? {
            let arrived = within!(COMES_WITHIN, {
                Ok((self.page.url().await?.path() == "/items/new").then_some(()))
            });
            arrived?;
            self.page.look().await?;
        }
        self.clear_the_view().await?;
        if self.page.comes(Key::Title, COMES_WITHIN).await?.is_none() {
            self.page.look().await?;
            return Err(self.page.not_found("form").await);
        }
        Ok(())
    }

    /// Answers what lies over every page at a first visit: no cookies but the needed ones, no other country's site.
    async fn clear_the_view(&self) -> Result<(), Error> {
        for key in [Key::CountryDialogClose, Key::CookieReject] {
            if self.page.visible(key).await?.is_some() {
                self.page.press(key, COMES_WITHIN).await?;
            }
        }
        Ok(())
    }

    async fn fill_fields(&mut self, steps: &dyn StepObserver) -> Result<(), Error> {
        let content = self.request.content.clone();
        self.page
            .fill_photos(&self.request.work_dir.join("photos"), &self.request.photos)
            .await?;
        self.step(
            steps,
            FillStep::PhotosUploaded,
            &self.request.photos.len().to_string(),
        )
        .await?;
        self.page.fill_text(&content, Field::Title).await?;
        self.step(steps, FillStep::TitleFilled, &content.title).await?;
        self.page.fill_text(&content, Field::Description).await?;
        self.step(steps, FillStep::DescriptionFilled, "").await?;
        self.page.choose_category(&content, &content.category).await?;
        self.chosen(steps, FillStep::CategoryChosen, Field::Category)
            .await?;
        if let Some(brand) = &content.brand {
            self.page.choose_brand(&content, brand).await?;
            self.chosen(steps, FillStep::BrandChosen, Field::Brand).await?;
        }
        if let Some(size) = &content.size {
            self.page.choose_one(&content, Field::Size, size).await?;
            self.chosen(steps, FillStep::SizeChosen, Field::Size).await?;
        }
        if let Some(condition) = &content.condition {
            self.page
                .choose_one(&content, Field::Condition, condition)
                .await?;
            self.chosen(steps, FillStep::ConditionChosen, Field::Condition)
                .await?;
        }
        if !content.colors.is_empty() {
            self.page
                .choose_many(&content, Field::Colors, &content.colors)
                .await?;
            self.chosen(steps, FillStep::ColorsChosen, Field::Colors).await?;
        }
        if !content.materials.is_empty() {
            self.page
                .choose_many(&content, Field::Materials, &content.materials)
                .await?;
            self.chosen(steps, FillStep::MaterialsChosen, Field::Materials)
                .await?;
        }
        self.page.fill_text(&content, Field::Price).await?;
        self.chosen(steps, FillStep::PriceFilled, Field::Price).await?;
        if let Some(package) = &content.package_size {
            self.page.choose_package(&content, package).await?;
            self.chosen(steps, FillStep::PackageSizeChosen, Field::PackageSize)
                .await?;
        }
        Ok(())
    }

    async fn chosen(&self, steps: &dyn StepObserver, step: FillStep, field: Field) -> Result<(), Error> {
        self.step(steps, step, &reading::approved(&self.request.content, field))
            .await
    }

    /// Reads the whole form back and photographs it.
    async fn prove(&mut self, steps: &dyn StepObserver, shows_within: Duration) -> Result<Filled, Error> {
        let read_back = match self.page.read_back(&self.request.content, shows_within).await {
            Ok(read_back) => read_back,
            Err(error) => {
                // A challenge that came over the form is what went wrong, not the field under it.
                self.page.look().await?;
                return Err(error);
            }
        };
        self.step(steps, FillStep::ReadBack, "").await?;
        self.page.look().await?;
        let evidence = self.page.evidence().await;
        self.step(steps, FillStep::ScreenshotTaken, &evidence.url).await?;
        Ok(Filled { read_back, evidence })
    }

    /// The page is used up by a click, whatever comes of it: nothing is ever clicked twice.
    fn take(&mut self, wanted: Ready) -> Result<(), WriteError> {
        if std::mem::replace(&mut self.ready, Ready::Nothing) == wanted {
            return Ok(());
        }
        Err(WriteError::NotSent(Error::Browser(
            "the page is not ready for this click".to_owned(),
        )))
    }
}

#[async_trait]
impl Composer for BrowserComposer {
    fn identity(&self) -> ComposerIdentity {
        self.launched.identity.clone()
    }

    async fn fill(&mut self, steps: &dyn StepObserver) -> Result<Filled, Error> {
        self.ready = Ready::Nothing;
        self.sign_in(steps).await?;
        self.open_form().await?;
        self.harvest().await;
        self.step(steps, FillStep::FormOpened, "/items/new").await?;
        if let Err(error) = self.fill_fields(steps).await {
            if !matches!(error, Error::Challenge { .. } | Error::Stopped(_)) {
                self.page.look().await?;
            }
            return Err(error);
        }
        let filled = self.prove(steps, FILLED_SHOWS_WITHIN).await?;
        self.ready = Ready::Draft;
        Ok(filled)
    }

    async fn open_draft(&mut self, remote_id: &str, steps: &dyn StepObserver) -> Result<Filled, Error> {
        self.ready = Ready::Nothing;
        let not_a_draft = || Error::NotADraft {
            remote_id: remote_id.to_owned(),
        };
        let item = self.session.item_json(remote_id).await?.ok_or_else(not_a_draft)?;
        if item["is_draft"] != true {
            return Err(not_a_draft());
        }
        self.sign_in(steps).await?;
        let path = format!("/items/{remote_id}/edit");
        self.page.open(&path).await?;
        self.harvest().await;
        self.clear_the_view().await?;
        if self.page.comes(Key::Title, COMES_WITHIN).await?.is_none() {
            self.page.look().await?;
            return Err(self.page.not_found("form").await);
        }
        // What is on sale already has no button to save it as a draft.
        let is_draft = self.page.comes(Key::SaveDraft, COMES_WITHIN).await?.is_some();
        if !is_draft || self.page.url().await?.path() != path {
            return Err(not_a_draft());
        }
        self.step(steps, FillStep::FormOpened, &path).await?;
        let filled = self.prove(steps, OPENED_SHOWS_WITHIN).await?;
        // The form shows names; the ids behind them are in the site's own answer.
        reading::mismatch(&reading::of_item(&self.request.content, &item), &filled.evidence)?;
        self.ready = Ready::Publish;
        Ok(filled)
    }

    async fn look(&mut self) -> Result<(), Error> {
        self.page.look().await
    }

    async fn save_draft(&mut self, permit: &dyn Permit) -> Result<Saved, WriteError> {
        self.take(Ready::Draft)?;
        let remote_id = self.page.click_once(Click::SaveDraft, permit).await?;
        Ok(Saved { remote_id })
    }

    async fn publish(&mut self, permit: &dyn Permit) -> Result<Published, WriteError> {
        self.take(Ready::Publish)?;
        let remote_id = self.page.click_once(Click::Publish, permit).await?;
        Ok(Published {
            remote_id,
            evidence: self.page.evidence().await,
        })
    }

    async fn open_item(
        &mut self,
        _remote_id: &str,
        _kind: ChangeKind,
        _steps: &dyn StepObserver,
    ) -> Result<Filled, Error> {
        Err(Error::Unavailable("to come".to_owned()))
    }

    async fn change(&mut self, _permit: &dyn Permit) -> Result<Changed, WriteError> {
        Err(WriteError::NotSent(Error::Unavailable("to come".to_owned())))
    }

    async fn hand_over(&mut self) -> Result<(), Error> {
        Err(Error::Unavailable("to come".to_owned()))
    }

    async fn window(&mut self) -> Window {
        Window::Closed
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
