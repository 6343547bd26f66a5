//! One attempt at the site's form, from an empty page to a published item.

use std::path::PathBuf;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{Error, ItemContent, PhotoFile, WriteError};

/// A named step on the way through the form. Each one is reported when it has been done.
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
    /// Every step, in the order in which a form with all fields goes through them.
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

    /// The name in the step log.
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

/// The attempt is to stop here: cancelled, drained or its lease is lost. Nothing has been written.
#[derive(Debug, Clone, thiserror::Error)]
#[error("stopped: {0}")]
pub struct Stopped(pub String);

/// One picture of the film that an attempt leaves behind: what was done, how, and what the page looked like then.
#[derive(Clone, Debug)]
pub struct Frame {
    pub step: FillStep,
    /// What was entered or reached, for a person.
    pub detail: String,
    /// The CSS by which the step found its field, where it needed one.
    pub selector: Option<String>,
    /// PNG of what the window shows; absent without a browser.
    pub picture: Option<Bytes>,
}

/// Told of every step that a composer has done; may answer that the attempt is to stop.
#[async_trait]
pub trait StepObserver: Send + Sync {
    async fn reached(&self, frame: Frame) -> Result<(), Stopped>;
}

/// Asked right before the one click that cannot be taken back.
pub trait Permit: Send + Sync {
    /// Whether the committed intent still allows the click. Reads a clock that also counts suspended time.
    fn still_valid(&self) -> bool;
}

/// An operating-system process, told apart from a later one with the same number by its start time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    pub pid: u32,
    /// Clock ticks after boot, as in field 22 of `/proc/{pid}/stat`.
    pub start_ticks: u64,
}

/// What a successor needs in order to end an attempt whose owner is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComposerIdentity {
    /// The process that runs the attempt (the worker itself).
    pub owner: Process,
    /// Address of the WebDriver server; absent without a browser.
    pub driver_url: Option<String>,
    /// The WebDriver session.
    pub session_id: Option<String>,
    /// The driver's process, where this machine started it.
    pub driver: Option<Process>,
    /// The browser's process, where it is known.
    pub browser: Option<Process>,
    /// The browser's profile folder, wiped afterwards.
    pub profile_dir: Option<PathBuf>,
}

/// Whether a past attempt can still act on the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Ending {
    /// Ended by us, or seen to be gone: it can no longer act.
    Ended,
    /// It could not be found out. Nobody may try again on the strength of this.
    Unknown,
}

/// What a new attempt is given before it starts.
#[derive(Clone, Debug)]
pub struct ComposerRequest {
    /// A folder of its own, empty, for profile and files; removed when the attempt ends.
    pub work_dir: PathBuf,
    pub content: ItemContent,
    /// In the order of the content's hashes; empty where the item keeps the photos that it has on the site.
    pub photos: Vec<PhotoFile>,
    /// Whether an item that is on the site already keeps its photos.
    pub keeps_photos: bool,
}

/// One field as it stood in the form, beside what was approved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldReading {
    pub field: String,
    pub approved: String,
    pub seen: String,
    /// Whether the two mean the same; the site writes a price or a category in its own way.
    pub matches: bool,
}

/// What a person looks at afterwards.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    pub url: String,
    /// PNG of the page; absent without a browser.
    pub screenshot: Option<Bytes>,
    /// The page's visible text, or the answer's body.
    pub page_text: String,
}

/// A form that holds exactly what was approved.
#[derive(Clone, Debug)]
pub struct Filled {
    /// Every field that the form showed, in the form's order.
    pub read_back: Vec<FieldReading>,
    pub evidence: Evidence,
}

/// A draft was saved.
#[derive(Clone, Debug)]
pub struct Saved {
    /// The draft's id, when the site's own answer was seen; else it is found in the wardrobe.
    pub remote_id: Option<String>,
}

/// The publish button was clicked and the site answered that all is well.
#[derive(Clone, Debug)]
pub struct Published {
    /// The item's id, when the site's own answer was seen.
    pub remote_id: Option<String>,
    pub evidence: Evidence,
}

/// What is done to an item that is on the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ChangeKind {
    /// New texts, choices, price or photos.
    Edit,
    Hide,
    Unhide,
    Delete,
}

/// A change was made and the site answered that all is well.
#[derive(Clone, Debug)]
pub struct Changed {
    pub evidence: Evidence,
}

/// The window of an attempt, as its driver sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Window {
    /// It shows this address.
    Open(String),
    /// It was closed, or its browser is gone.
    Closed,
}

/// One attempt at the form. It is owned by one task, which always calls [`Composer::quit`].
///
/// The order is `fill`, `save_draft`; or `open_draft`, `publish`; or `open_item`, `change`. The writing methods are called
/// by one module of the worker alone, after the transaction that committed the intent.
#[async_trait]
pub trait Composer: Send {
    /// How a successor can end this attempt. Known before the first navigation.
    fn identity(&self) -> ComposerIdentity;

    /// Opens an empty form and fills it, each field proved by reading it back. Writes nothing.
    async fn fill(&mut self, steps: &dyn StepObserver) -> Result<Filled, Error>;

    /// Opens a draft's edit page, checks that it is still a draft, and reads every field back. Writes nothing.
    async fn open_draft(&mut self, remote_id: &str, steps: &dyn StepObserver) -> Result<Filled, Error>;

    /// Looks for a challenge on the page as it stands now. Called right before an intent is committed.
    async fn look(&mut self) -> Result<(), Error>;

    /// Clicks "save draft" once.
    async fn save_draft(&mut self, permit: &dyn Permit) -> Result<Saved, WriteError>;

    /// Clicks "publish" once.
    async fn publish(&mut self, permit: &dyn Permit) -> Result<Published, WriteError>;

    /// Opens an item that is on the site and makes the page ready for a change, writing nothing: for an edit its edit page,
    /// with every field that differs from the content filled anew and all of them read back; else the item's own page.
    /// [`Error::NotFound`] when there is no such item of the member's.
    async fn open_item(
        &mut self,
        remote_id: &str,
        kind: ChangeKind,
        steps: &dyn StepObserver,
    ) -> Result<Filled, Error>;

    /// Makes the change that the page is ready for, once.
    async fn change(&mut self, permit: &dyn Permit) -> Result<Changed, WriteError>;

    /// Leaves the filled form to the person at the window: nothing is entered or clicked by us any more.
    /// [`Error::Browser`] where there is no window that a person can see.
    async fn hand_over(&mut self) -> Result<(), Error>;

    /// What became of the window. Only looks.
    async fn window(&mut self) -> Window;

    /// Ends the attempt and everything that it started.
    async fn quit(self: Box<Self>) -> Ending;
}
