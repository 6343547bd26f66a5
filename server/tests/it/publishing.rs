//! Which callers see a confirmation, and which see the content that it confirms.

use futures::FutureExt as _;
use sea_orm::{EntityTrait as _, IntoActiveModel as _};
use tonic::Code;
use tonic_types::StatusExt as _;
use vintedbot_domain::events::{Kind, PendingEvent};
use vintedbot_domain::identity::Scope;
use vintedbot_domain::publishing::{Change, FieldChange, JobKind, PublishJob, Revision, State};
use vintedbot_domain::store::entities::{publish_jobs, publish_steps};
use vintedbot_marketplace::{CategoryChoice, ChangeKind, FieldReading, ItemContent, Money, Named};
use vintedbot_proto::v1;
use vintedbot_proto::v1::publish_service_client::PublishServiceClient;

use crate::harness::{self, Connection, Instance, http, reason};

const THUMBNAIL: &str = "screenshots/j/0191b3c2-7f4e-7d3a-9c51-2f6a8e0d4b18.jpg";
pub(crate) const TITLE: &str = "<script>alert(1)</script> & co";

/// Creates a job as the worker leaves it after it filled the form: it awaits its confirmation.
pub(crate) async fn prepared(instance: &Instance) -> publish_jobs::Model {
    prepared_as(instance, None, &[]).await
}

/// Does the same for a job of the given kind, which changes an item.
pub(crate) async fn prepared_as(
    instance: &Instance,
    change: Option<Change>,
    changes: &[FieldChange],
) -> publish_jobs::Model {
    let kind = match change.as_ref().map(|change| change.kind) {
        None => JobKind::Publish,
        Some(ChangeKind::Edit) => JobKind::Edit,
        Some(ChangeKind::Hide) => JobKind::Hide,
        Some(ChangeKind::Unhide) => JobKind::Unhide,
        Some(ChangeKind::Delete) => JobKind::Delete,
    };
    let account = instance.make_account("one").await;
    let listing = instance.make_listing(&account.id, "A thing").await;
    let named = |id: i64, name: &str| Named {
        id,
        name: name.to_owned(),
    };
    let content = ItemContent {
        title: TITLE.to_owned(),
        description: "Worn <b>twice</b>".to_owned(),
        price: Money {
            minor_units: 2905,
            currency: "EUR".to_owned(),
        },
        category: CategoryChoice {
            id: 1,
            path: vec![named(1, "Sweats")],
        },
        brand: None,
        size: None,
        condition: Some(named(2, "Bon état")),
        colors: Vec::new(),
        materials: Vec::new(),
        package_size: None,
        photo_sha256s: vec!["a".repeat(64)],
    };
    let revision = Revision {
        version: 1,
        workspace_id: instance.workspace_id.clone(),
        account_id: account.id.clone(),
        site: account.site.clone(),
        listing_id: listing.id.clone(),
        content,
        change,
    };
    let (text, hash) = revision.encode().expect("freezes");
    let reading = FieldReading {
        field: "title".to_owned(),
        approved: TITLE.to_owned(),
        seen: TITLE.to_owned(),
        matches: true,
    };
    let now = instance.context.clock.now();
    let row = publish_jobs::Model {
        id: instance.context.ids.id(),
        workspace_id: instance.workspace_id.clone(),
        account_id: account.id,
        listing_id: listing.id,
        site: account.site,
        state: State::AwaitingConfirmation,
        dry_run: true,
        prepare_number: 1,
        revision: text,
        revision_hash: hash,
        listing_hash: String::new(),
        read_back: Some(serde_json::to_string(&[reading]).expect("JSON")),
        read_back_hash: Some("hash".to_owned()),
        screenshot_key: Some("screenshots/j/0191b3c2-7f4e-7d3a-9c51-2f6a8e0d4b17.png".to_owned()),
        requires_action: false,
        reason: None,
        message: None,
        wait_reason: None,
        wait_until: None,
        confirm_expire_time: Some(now + 60_000),
        confirm_time: None,
        cancel_requested: false,
        draft_remote_id: None,
        remote_item_id: None,
        remote_url: None,
        hidden: false,
        possible_duplicate: false,
        stray_drafts: "[]".to_owned(),
        prepare_attempts: 1,
        publish_attempts: 0,
        create_time: now,
        update_time: now,
        end_time: None,
        sequence: 0,
        kind,
        schedule_time: None,
        manual_takeover: false,
        changes: serde_json::to_string(changes).expect("JSON"),
    };
    let written = row.clone();
    let write = instance.context.store.write(move |tx| {
        let row = written.clone();
        async move {
            publish_jobs::Entity::insert(row.clone().into_active_model())
                .exec_without_returning(tx)
                .await?;
            for number in 1..=3 {
                let step = publish_steps::Model {
                    publish_job_id: row.id.clone(),
                    number,
                    time: row.create_time,
                    attempt: 1,
                    step: "fill_title".to_owned(),
                    outcome: "DONE".to_owned(),
                    message: String::new(),
                    screenshot_key: row.screenshot_key.clone().filter(|_| number == 3),
                    screenshot_bytes: Some(7),
                    page_text_key: None,
                    selector: (number == 3).then(|| "#title".to_owned()),
                    thumbnail_key: (number == 3).then(|| THUMBNAIL.to_owned()),
                };
                publish_steps::Entity::insert(step.into_active_model())
                    .exec_without_returning(tx)
                    .await?;
            }
            tx.emit(PendingEvent::changed(
                Kind::PublishJobReady,
                &PublishJob::from(row),
            )?);
            Ok(())
        }
        .boxed()
    });
    write.await.expect("is written");
    row
}

pub(crate) async fn get(connection: Connection, id: &str) -> v1::PublishJob {
    let mut client = PublishServiceClient::new(connection);
    let answer = client
        .get_publish_job(v1::GetPublishJobRequest { id: id.to_owned() })
        .await
        .expect("is there");
    answer.into_inner().publish_job.expect("a job")
}

#[tokio::test]
async fn confirmation_is_shown_by_get_to_confirm_scope_only() {
    let instance = harness::start().await;
    let row = prepared(&instance).await;
    let job = get(instance.connect().await, &row.id).await;
    let confirmation = job.confirmation.expect("this caller may confirm");
    assert_eq!(confirmation.revision_hash, row.revision_hash);

    let (_, reader) = instance.make_token(&[Scope::PublishRead], None).await;
    assert_eq!(
        get(instance.connect_as(Some(&reader)).await, &row.id)
            .await
            .confirmation,
        None
    );

    let mut client = PublishServiceClient::new(instance.connect().await);
    let list = client
        .list_publish_jobs(v1::ListPublishJobsRequest::default())
        .await
        .expect("lists")
        .into_inner();
    assert_eq!(list.publish_jobs.len(), 1);
    assert_eq!(list.publish_jobs[0].confirmation, None);

    let mut events = v1::event_service_client::EventServiceClient::new(instance.connect().await);
    let request = v1::WatchRequest {
        snapshot: true,
        ..Default::default()
    };
    let mut stream = events.watch(request).await.expect("begins").into_inner();
    loop {
        let message = stream.message().await.expect("continues").expect("continues");
        assert!(!format!("{message:?}").contains(&confirmation.confirm_token));
        if matches!(message.message, Some(v1::watch_response::Message::SnapshotEnd(_))) {
            break;
        }
    }
    drop(stream);
    instance.stop().await;
}

#[tokio::test]
async fn steps_and_screenshots_come_in_pages() {
    let instance = harness::start().await;
    let row = prepared(&instance).await;
    let mut client = PublishServiceClient::new(instance.connect().await);
    let mut numbers = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = v1::ListPublishStepsRequest {
            job_id: row.id.clone(),
            page_size: 2,
            page_token,
        };
        let page = client
            .list_publish_steps(request)
            .await
            .expect("lists")
            .into_inner();
        numbers.extend(page.steps.iter().map(|step| step.number));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(numbers, [1, 2, 3]);
    let request = v1::ListScreenshotsRequest {
        job_id: row.id.clone(),
        page_size: 1,
        page_token: String::new(),
    };
    let page = client
        .list_screenshots(request)
        .await
        .expect("lists")
        .into_inner();
    assert_eq!((page.screenshots.len(), page.next_page_token.as_str()), (1, ""));
    assert_eq!(page.screenshots[0].id, "0191b3c2-7f4e-7d3a-9c51-2f6a8e0d4b17");
    instance.stop().await;
}

#[tokio::test]
async fn dry_run_is_the_default_and_refuses_a_wrong_token() {
    let instance = harness::start().await;
    let row = prepared(&instance).await;
    let mut client = PublishServiceClient::new(instance.connect().await);
    let confirmation = v1::Confirmation {
        confirm_token: "wrong".to_owned(),
        ..Default::default()
    };
    let request = v1::ConfirmPublishRequest {
        job_id: row.id.clone(),
        confirmation: Some(confirmation),
        ..Default::default()
    };
    let status = client.confirm_publish(request).await.expect_err("is refused");
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::PermissionDenied, "CONFIRMATION_INVALID")
    );

    let confirmation = get(instance.connect().await, &row.id).await.confirmation;
    let request = v1::ConfirmPublishRequest {
        job_id: row.id.clone(),
        confirmation,
        ..Default::default()
    };
    let answer = client
        .confirm_publish(request)
        .await
        .map(tonic::Response::into_inner);
    // The domain did not freeze the listing, so its content counts as edited.
    let status = answer.expect_err("is stale");
    assert_eq!(reason(&status), "CONFIRMATION_STALE");
    assert_eq!(
        get(instance.connect().await, &row.id).await.state(),
        v1::publish_job::State::AwaitingConfirmation
    );
    instance.stop().await;
}

#[tokio::test]
async fn step_timeline_pictures_need_no_token() {
    let instance = harness::start().await;
    let row = prepared(&instance).await;
    let jpeg = bytes::Bytes::from_static(b"a small picture");
    instance
        .context
        .files
        .put(THUMBNAIL, jpeg.clone())
        .await
        .expect("is stored");
    let job = get(instance.connect().await, &row.id).await;
    let numbers: Vec<_> = job.step_timeline.iter().map(|step| step.number).collect();
    assert_eq!(numbers, [1, 2, 3], "oldest first");
    let step = &job.step_timeline[2];
    assert_eq!(step.selector, "#title");
    assert!(job.step_timeline[0].thumbnail_url.is_empty());
    let picture = http().get(&step.thumbnail_url).send().await.expect("answers");
    assert_eq!(picture.headers()[http::header::CONTENT_TYPE], "image/jpeg");
    assert_eq!(picture.bytes().await.expect("a body"), jpeg);
    let page = http().get(&job.preview_url).send().await.expect("answers");
    let html = page.text().await.expect("a body");
    assert!(
        html.contains("<div class=\"steps\"><figure><img src=\"/media/"),
        "{html}"
    );
    let mut client = PublishServiceClient::new(instance.connect().await);
    let listed = client
        .list_publish_jobs(v1::ListPublishJobsRequest::default())
        .await;
    let listed = listed.expect("lists").into_inner().publish_jobs;
    assert!(listed[0].step_timeline.is_empty(), "a list has no step timelines");
    instance.stop().await;
}

#[tokio::test]
async fn invalid_time_is_reported_before_the_token_is_checked() {
    use v1::schedule_publish_request::When;
    let instance = harness::start().await;
    let row = prepared(&instance).await;
    let mut client = PublishServiceClient::new(instance.connect().await);
    let local = |date_time: &str, time_zone: &str, repeated_time| {
        Some(When::LocalTime(v1::LocalTime {
            date_time: date_time.to_owned(),
            time_zone: time_zone.to_owned(),
            repeated_time,
        }))
    };
    for (when, field, says) in [
        (None, "when", "required"),
        (
            Some(When::Time(prost_types::Timestamp { seconds: 1, nanos: 0 })),
            "time",
            "in the future",
        ),
        (
            local("2030-03-31T02:30", "Europe/Paris", 0),
            "local_time.date_time",
            "2030-03-31T03:00:00+02:00",
        ),
        (
            local("2030-10-27T02:30", "Europe/Paris", 0),
            "local_time.repeated_time",
            "LATER for 2030-10-27T02:30:00+01:00",
        ),
        (
            local("2030-10-27T02:30", "Europe/Paris", 7),
            "local_time.repeated_time",
            "7",
        ),
        (
            local("2030-10-27T02:30", "Paris", 0),
            "local_time.time_zone",
            "IANA",
        ),
    ] {
        let request = v1::SchedulePublishRequest {
            job_id: row.id.clone(),
            when,
            ..Default::default()
        };
        let status = client.schedule_publish(request).await.expect_err("is refused");
        assert_eq!(reason(&status), "VALIDATION_FAILED");
        let details = status.get_error_details();
        let violations = &details.bad_request().expect("violations").field_violations;
        assert_eq!(violations[0].field, field);
        assert!(violations[0].description.contains(says), "{violations:?}");
    }
    let soon = instance.context.clock.now() + 3_600_000;
    let request = v1::SchedulePublishRequest {
        job_id: row.id.clone(),
        when: Some(When::Time(prost_types::Timestamp {
            seconds: soon / 1000,
            nanos: 0,
        })),
        ..Default::default()
    };
    let status = client.schedule_publish(request).await.expect_err("is refused");
    assert_eq!(reason(&status), "CONFIRMATION_REQUIRED");
    instance.stop().await;
}

#[tokio::test]
async fn manual_takeover_without_a_window_is_refused() {
    let instance = harness::start().await;
    let account = instance.make_account("one").await;
    let listing = instance.make_listing(&account.id, "A thing").await;
    let mut client = PublishServiceClient::new(instance.connect().await);
    let request = v1::PreparePublishRequest {
        listing_id: listing.id,
        manual_takeover: Some(true),
        ..Default::default()
    };
    let status = client.prepare_publish(request).await.expect_err("is refused");
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::FailedPrecondition, "MODE_NOT_ALLOWED")
    );
    instance.stop().await;
}
