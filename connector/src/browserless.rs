//! Writes to the practice site without a browser, by the JSON calls that its form makes, in the form's order.

mod changes;

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use uuid::Uuid;
use vintedbot_marketplace::{
    BrowserWindow, ChangeKind, Changed, Ending, Error, Evidence, Field, FillStep, Filled, ItemContent,
    ListingFormDriver, ListingFormIdentity, ListingFormRequest, Permit, Published, Saved, StepObserver,
    TimelineStep, WriteError,
};

use crate::active::Attempt;
use crate::pacing::Pace;
use crate::web::{Call, WebSession};
use crate::{process, reading, text};

/// The request that the next writing call would send.
enum Ready {
    Nothing,
    Draft { body: Value },
    Completion { remote_id: String, body: Value },
    Change(changes::Request),
}

pub(crate) struct Browserless {
    session: Arc<WebSession>,
    request: ListingFormRequest,
    pace: Pace,
    upload_session_id: String,
    ready: Ready,
    attempt: Attempt,
}

impl Browserless {
    pub(crate) fn new(
        session: Arc<WebSession>,
        request: ListingFormRequest,
        pace: Pace,
        attempt: Attempt,
    ) -> Self {
        let upload_session_id = Uuid::from_u64_pair(pace.random(), pace.random()).to_string();
        Self {
            session,
            request,
            pace,
            upload_session_id,
            ready: Ready::Nothing,
            attempt,
        }
    }

    fn evidence(&self, path: &str, body: &Value) -> Evidence {
        let url = self.session.base.join(path).map(String::from).unwrap_or_default();
        Evidence {
            url,
            screenshot: None,
            page_text: format!("{body:#}"),
        }
    }

    async fn step(&self, steps: &dyn StepObserver, step: FillStep, detail: &str) -> Result<(), Error> {
        let timeline_step = TimelineStep {
            step,
            detail: detail.to_owned(),
            selector: None,
            picture: None,
        };
        steps.reached(timeline_step).await?;
        self.pace.pause().await;
        Ok(())
    }

    async fn upload_photos(&self) -> Result<Vec<String>, Error> {
        let mut ids = Vec::new();
        for photo in &self.request.photos {
            ids.push(self.session.upload(&self.upload_session_id, photo).await?.id);
        }
        Ok(ids)
    }

    fn wrapped(&self, draft: Value) -> Value {
        json!({
            "draft": draft,
            "feedback_id": null,
            "parcel": null,
            "push_up": false,
            "upload_session_id": self.upload_session_id,
        })
    }

    async fn send(&self, call: &Call<'_>, permit: &dyn Permit) -> Result<(Value, Evidence), WriteError> {
        let signed_in = self.session.signed_in().await.map_err(WriteError::NotSent)?;
        if !permit.still_valid() {
            return Err(WriteError::NotSent(not_permitted()));
        }
        self.session.write(&signed_in, call).await
    }
}

#[async_trait]
impl ListingFormDriver for Browserless {
    fn identity(&self) -> ListingFormIdentity {
        ListingFormIdentity {
            worker: process::this_process(),
            driver_url: None,
            session_id: None,
            driver: None,
            browser: None,
            profile_dir: Some(self.request.work_dir.clone()),
        }
    }

    async fn fill(&mut self, steps: &dyn StepObserver) -> Result<Filled, Error> {
        let signed_in = self.session.signed_in().await?;
        self.step(steps, FillStep::SignedIn, &signed_in.member.login)
            .await?;
        self.session.member().await?;
        self.step(steps, FillStep::FormOpened, "without a browser")
            .await?;
        let photo_ids = self.upload_photos().await?;
        self.step(steps, FillStep::PhotosUploaded, &photo_ids.len().to_string())
            .await?;
        let content = self.request.content.clone();
        for (field, step) in FIELD_STEPS {
            let approved = reading::approved(&content, field);
            if !approved.is_empty() {
                self.step(steps, step, &approved).await?;
            }
        }
        let draft = draft(&content, &photo_ids, None, &self.upload_session_id);
        let evidence = self.evidence("/items/new", &draft);
        let read_back = reading::of_item(&content, &draft);
        reading::mismatch(&read_back, &evidence)?;
        self.step(steps, FillStep::ReadBack, "").await?;
        self.step(steps, FillStep::ScreenshotTaken, "none without a browser")
            .await?;
        self.ready = Ready::Draft {
            body: self.wrapped(draft),
        };
        Ok(Filled { read_back, evidence })
    }

    async fn open_draft(&mut self, remote_id: &str, steps: &dyn StepObserver) -> Result<Filled, Error> {
        self.ready = Ready::Nothing;
        let signed_in = self.session.signed_in().await?;
        self.step(steps, FillStep::SignedIn, &signed_in.member.login)
            .await?;
        let not_a_draft = || Error::NotADraft {
            remote_id: remote_id.to_owned(),
        };
        let item = self.session.item_json(remote_id).await?.ok_or_else(not_a_draft)?;
        if item["is_draft"] != true {
            return Err(not_a_draft());
        }
        self.step(steps, FillStep::FormOpened, "without a browser")
            .await?;
        let content = self.request.content.clone();
        let evidence = self.evidence(&format!("/items/{remote_id}/edit"), &item);
        let read_back = reading::of_item(&content, &item);
        reading::mismatch(&read_back, &evidence)?;
        self.step(steps, FillStep::ReadBack, "").await?;
        self.step(steps, FillStep::ScreenshotTaken, "none without a browser")
            .await?;
        let photos = item["photos"].as_array().map(Vec::as_slice).unwrap_or_default();
        let photo_ids: Vec<String> = photos.iter().filter_map(|photo| text::id(&photo["id"])).collect();
        let draft = draft(&content, &photo_ids, Some(remote_id), &self.upload_session_id);
        self.ready = Ready::Completion {
            remote_id: remote_id.to_owned(),
            body: self.wrapped(draft),
        };
        Ok(Filled { read_back, evidence })
    }

    async fn look(&mut self) -> Result<(), Error> {
        self.session.member().await.map(drop)
    }

    async fn save_draft(&mut self, permit: &dyn Permit) -> Result<Saved, WriteError> {
        let Ready::Draft { body } = std::mem::replace(&mut self.ready, Ready::Nothing) else {
            return Err(WriteError::NotSent(Error::Shape(
                "no filled form to save".to_owned(),
            )));
        };
        let (answer, _) = self.send(&Call::post("item_upload/drafts", body), permit).await?;
        Ok(Saved {
            remote_id: saved_id(&answer),
        })
    }

    async fn publish(&mut self, permit: &dyn Permit) -> Result<Published, WriteError> {
        let Ready::Completion { remote_id, body } = std::mem::replace(&mut self.ready, Ready::Nothing) else {
            return Err(WriteError::NotSent(Error::Shape(
                "no open draft to publish".to_owned(),
            )));
        };
        let path = format!("item_upload/drafts/{remote_id}/completion");
        let (answer, evidence) = self.send(&Call::post(&path, body), permit).await?;
        Ok(Published {
            remote_id: saved_id(&answer),
            evidence,
        })
    }

    async fn open_item(
        &mut self,
        remote_id: &str,
        kind: ChangeKind,
        steps: &dyn StepObserver,
    ) -> Result<Filled, Error> {
        self.ready = Ready::Nothing;
        let (filled, request) = self.open_for_change(remote_id, kind, steps).await?;
        self.ready = Ready::Change(request);
        Ok(filled)
    }

    async fn change(&mut self, permit: &dyn Permit) -> Result<Changed, WriteError> {
        let Ready::Change(request) = std::mem::replace(&mut self.ready, Ready::Nothing) else {
            return Err(WriteError::NotSent(Error::Shape(
                "no open item to change".to_owned(),
            )));
        };
        let (_, evidence) = self.send(&request.call(), permit).await?;
        Ok(Changed { evidence })
    }

    async fn manual_takeover(&mut self) -> Result<(), Error> {
        Err(Error::Browser(
            "there is no browser, so there is no window to take over".to_owned(),
        ))
    }

    async fn window(&mut self) -> BrowserWindow {
        BrowserWindow::Closed
    }

    async fn quit(self: Box<Self>) -> Ending {
        process::wipe(self.request.work_dir.clone()).await;
        drop(self.attempt);
        Ending::Ended
    }
}

/// The steps that stand for one field each, in the form's order.
pub(crate) const FIELD_STEPS: [(Field, FillStep); 10] = [
    (Field::Title, FillStep::TitleFilled),
    (Field::Description, FillStep::DescriptionFilled),
    (Field::Category, FillStep::CategoryChosen),
    (Field::Brand, FillStep::BrandChosen),
    (Field::Size, FillStep::SizeChosen),
    (Field::Condition, FillStep::ConditionChosen),
    (Field::Colors, FillStep::ColorsChosen),
    (Field::Materials, FillStep::MaterialsChosen),
    (Field::Price, FillStep::PriceFilled),
    (Field::PackageSize, FillStep::PackageSizeChosen),
];

/// The error for a click or a request whose intent is no longer valid.
pub(crate) fn not_permitted() -> Error {
    Error::Stopped(vintedbot_marketplace::Stopped(
        "the intent is no longer valid".to_owned(),
    ))
}

/// Returns the id from the answer to a saved draft or a published item.
pub(crate) fn saved_id(answer: &Value) -> Option<String> {
    ["item", "draft"]
        .iter()
        .find_map(|key| text::id(&answer[*key]["id"]))
}

/// Builds the item as the form sends it (as seen 2026, confidence A). The paid push-up stays off.
fn draft(content: &ItemContent, photo_ids: &[String], id: Option<&str>, upload_session_id: &str) -> Value {
    let photos: Vec<Value> = photo_ids
        .iter()
        .filter_map(|id| id.parse::<i64>().ok())
        .map(|id| json!({ "id": id, "orientation": 0 }))
        .collect();
    let mut attributes = Vec::new();
    for (code, ids) in [
        (
            "size",
            content.size.iter().map(|each| each.id).collect::<Vec<_>>(),
        ),
        (
            "condition",
            content.condition.iter().map(|each| each.id).collect(),
        ),
        ("material", content.materials.iter().map(|each| each.id).collect()),
    ] {
        if !ids.is_empty() {
            attributes.push(json!({ "code": code, "ids": ids }));
        }
    }
    json!({
        "id": id.and_then(|id| id.parse::<i64>().ok()),
        "currency": content.price.currency,
        "temp_uuid": upload_session_id,
        "title": content.title,
        "description": content.description,
        "brand_id": content.brand.as_ref().map(|brand| brand.id),
        "brand": content.brand.as_ref().map(|brand| &brand.name),
        "catalog_id": content.category.id,
        "isbn": null,
        "is_unisex": false,
        "price": text::decimal(content.price.minor_units, &content.price.currency, '.'),
        "package_size_id": content.package_size.as_ref().map(|each| each.id),
        "shipment_prices": { "domestic": null, "international": null },
        "color_ids": content.colors.iter().map(|color| color.id).collect::<Vec<_>>(),
        "assigned_photos": photos,
        "photos": photos,
        "item_attributes": attributes,
        "measurement_length": null,
        "measurement_width": null,
        "manufacturer": null,
        "manufacturer_labelling": null,
        "video_game_rating_id": null,
    })
}
