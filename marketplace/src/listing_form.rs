//! One attempt at the listing form, from an empty page to a published item.

use std::path::PathBuf;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{Error, ItemContent, PhotoFile, WriteError};

/// A named step in the form. Each step is reported when it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FillStep {
    SignedIn,
    FormOpened,
    PhotosUploaded,
    TitleFilled,
    DescriptionFilled,
    CategoryChosen,
    BrandChosen,
    SizeChosen,
    ConditionChosen,
    ColorsChosen,
    MaterialsChosen,
    PriceFilled,
    PackageSizeChosen,
    ReadBack,
    ScreenshotTaken,
}

impl FillStep {
    /// Every step, in the order of a form with all fields.
    pub const ALL: [Self; 15] = [
        Self::SignedIn,
        Self::FormOpened,
        Self::PhotosUploaded,
        Self::TitleFilled,
        Self::DescriptionFilled,
        Self::CategoryChosen,
        Self::BrandChosen,
        Self::SizeChosen,
        Self::ConditionChosen,
        Self::ColorsChosen,
        Self::MaterialsChosen,
        Self::PriceFilled,
        Self::PackageSizeChosen,
        Self::ReadBack,
        Self::ScreenshotTaken,
    ];

    /// Returns the name in the step log.
    pub fn name(self) -> &'static str {
        match self {
            Self::SignedIn => "SIGNED_IN",
            Self::FormOpened => "FORM_OPENED",
            Self::PhotosUploaded => "PHOTOS_UPLOADED",
            Self::TitleFilled => "TITLE_FILLED",
            Self::DescriptionFilled => "DESCRIPTION_FILLED",
            Self::CategoryChosen => "CATEGORY_CHOSEN",
            Self::BrandChosen => "BRAND_CHOSEN",
            Self::SizeChosen => "SIZE_CHOSEN",
            Self::ConditionChosen => "CONDITION_CHOSEN",
            Self::ColorsChosen => "COLORS_CHOSEN",
            Self::MaterialsChosen => "MATERIALS_CHOSEN",
            Self::PriceFilled => "PRICE_FILLED",
            Self::PackageSizeChosen => "PACKAGE_SIZE_CHOSEN",
            Self::ReadBack => "READ_BACK",
            Self::ScreenshotTaken => "SCREENSHOT_TAKEN",
        }
    }
}

/// The attempt must stop: it was cancelled or drained, or its lease was lost. Nothing has been written.
#[derive(Debug, Clone, thiserror::Error)]
#[error("stopped: {0}")]
pub struct Stopped(pub String);

/// One step of the step timeline, with the value, the selector and a picture of the page.
#[derive(Clone, Debug)]
pub struct TimelineStep {
    pub step: FillStep,
    /// The value that was entered or reached, for a person.
    pub detail: String,
    /// The CSS selector by which the step found its field, if it needed one.
    pub selector: Option<String>,
    /// PNG of the visible part of the window; absent without a browser.
    pub picture: Option<Bytes>,
}

/// Receives every step that a driver has done. May answer that the attempt must stop.
#[async_trait]
pub trait StepObserver: Send + Sync {
    async fn reached(&self, timeline_step: TimelineStep) -> Result<(), Stopped>;
}

/// Checked right before the only click that cannot be undone.
pub trait Permit: Send + Sync {
    /// Whether the committed intent still allows the click. Uses a clock that also counts suspended time.
    fn still_valid(&self) -> bool;
}

/// An operating-system process. Its start time distinguishes it from a later process with the same id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    pub pid: u32,
    /// Clock ticks after boot, as in field 22 of `/proc/{pid}/stat`.
    pub start_ticks: u64,
}

/// What a successor needs to end an attempt whose worker is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListingFormIdentity {
    /// The process that runs the attempt (the worker process).
    pub worker: Process,
    /// The URL of the WebDriver server; absent without a browser.
    pub driver_url: Option<String>,
    /// The id of the WebDriver session.
    pub session_id: Option<String>,
    /// The driver's process, if this machine started it.
    pub driver: Option<Process>,
    /// The browser's process, if known.
    pub browser: Option<Process>,
    /// The folder with the browser's profile, wiped afterwards.
    pub profile_dir: Option<PathBuf>,
}

/// Whether a past attempt can still act on the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Ending {
    /// The attempt was ended, or is seen to be gone. It can no longer act.
    Ended,
    /// The state could not be determined. A new attempt must not rely on it.
    Unknown,
}

/// The input of a new attempt.
#[derive(Clone, Debug)]
pub struct ListingFormRequest {
    /// An empty folder for this attempt's profile and files; removed when the attempt ends.
    pub work_dir: PathBuf,
    pub content: ItemContent,
    /// In the order of the content's hashes; empty if the item keeps its photos on the site.
    pub photos: Vec<PhotoFile>,
    /// Whether an item that is on the site already keeps its photos.
    pub keeps_photos: bool,
}

/// One field as the form shows it, with the approved value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldReading {
    pub field: String,
    pub approved: String,
    pub seen: String,
    /// Whether the two mean the same. The site formats prices and categories in its own way.
    pub matches: bool,
}

/// The evidence for a person.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    pub url: String,
    /// PNG of the page; absent without a browser.
    pub screenshot: Option<Bytes>,
    /// The page's visible text, or the answer's body.
    pub page_text: String,
}

/// A form that holds exactly the approved content.
#[derive(Clone, Debug)]
pub struct Filled {
    /// Every field that the form showed, in the form's order.
    pub read_back: Vec<FieldReading>,
    pub evidence: Evidence,
}

/// The result of saving a draft.
#[derive(Clone, Debug)]
pub struct Saved {
    /// The draft's id, if the site's own answer was seen. Otherwise it is looked up in the wardrobe.
    pub remote_id: Option<String>,
}

/// The result of a click on the publish button that the site accepted.
#[derive(Clone, Debug)]
pub struct Published {
    /// The item's id, if the site's own answer was seen.
    pub remote_id: Option<String>,
    pub evidence: Evidence,
}

/// The kind of change to an item on the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ChangeKind {
    /// New texts, choices, price or photos.
    Edit,
    Hide,
    Unhide,
    Delete,
}

/// The result of a change that the site accepted.
#[derive(Clone, Debug)]
pub struct Changed {
    pub evidence: Evidence,
}

/// The state of an attempt's window, as its driver sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BrowserWindow {
    /// The window is open and shows this address.
    Open(String),
    /// The window was closed, or its browser is gone.
    Closed,
}

/// One attempt at the form. It is owned by one task, which always calls [`ListingFormDriver::quit`].
///
/// The order is `fill`, `save_draft`; or `open_draft`, `publish`; or `open_item`, `change`. Only one module of the
/// worker calls the writing methods, after the transaction that committed the intent.
#[async_trait]
pub trait ListingFormDriver: Send {
    /// Returns what a successor needs to end this attempt. Known before the first navigation.
    fn identity(&self) -> ListingFormIdentity;

    /// Opens an empty form and fills it. Verifies each field by reading it back. Writes nothing.
    async fn fill(&mut self, steps: &dyn StepObserver) -> Result<Filled, Error>;

    /// Opens a draft's edit page, checks that it is still a draft, and reads every field back. Writes nothing.
    async fn open_draft(&mut self, remote_id: &str, steps: &dyn StepObserver) -> Result<Filled, Error>;

    /// Checks the current page for a challenge. Called right before an intent is committed.
    async fn look(&mut self) -> Result<(), Error>;

    /// Clicks "save draft" once.
    async fn save_draft(&mut self, permit: &dyn Permit) -> Result<Saved, WriteError>;

    /// Clicks "publish" once.
    async fn publish(&mut self, permit: &dyn Permit) -> Result<Published, WriteError>;

    /// Opens an item on the site and prepares a change. Writes nothing. For an edit, it opens the edit page, fills
    /// every field that differs from the content and reads all fields back. For any other change, it opens the item's
    /// own page. [`Error::NotFound`] if the member has no such item.
    async fn open_item(
        &mut self,
        remote_id: &str,
        kind: ChangeKind,
        steps: &dyn StepObserver,
    ) -> Result<Filled, Error>;

    /// Makes the prepared change once.
    async fn change(&mut self, permit: &dyn Permit) -> Result<Changed, WriteError>;

    /// Leaves the filled form to the person at the window. Afterwards the driver enters and clicks nothing.
    /// [`Error::Browser`] if there is no window that a person can see.
    async fn manual_takeover(&mut self) -> Result<(), Error>;

    /// Returns the state of the window. Changes nothing.
    async fn window(&mut self) -> BrowserWindow;

    /// Ends the attempt and everything that it started.
    async fn quit(self: Box<Self>) -> Ending;
}
