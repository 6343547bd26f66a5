//! Every call that takes a `request_id`, with its prerequisites and parameters.

use futures::FutureExt as _;
use vintedbot_proto::v1;

use super::world::{World, endpoint};
use super::{Case, method, ready};
use crate::harness::jpeg;

/// Builds the case of a call with one message, from the name of its answer.
macro_rules! case {
    ($service:literal, $answer:ident, |$world:ident, $n:ident, $id:ident| $request:expr) => {
        case!(stream $service, $answer, |$world, $n, $id| vec![$request])
    };
    (stream $service:literal, $answer:ident, |$world:ident, $n:ident, $id:ident| $requests:expr) => {
        Case {
            method: method($service, stringify!($answer)),
            make: |$world: &World, $n: u8, $id: String| {
                async move { ready::<_, v1::$answer>($service, stringify!($answer), $requests) }.boxed()
            },
        }
    };
}

const COOKIES: &str =
    "access_token_web=eyJhY2Nlc3M.e30.x; refresh_token_web=eyJyZWZyZXNo.e30.x; _vinted_fr_session=abc";

pub fn all() -> Vec<Case> {
    let mut all = accounts();
    all.extend(listings());
    all.extend(publishing());
    all.extend(threads());
    all.extend(replies());
    all.extend(webhooks());
    all
}

fn accounts() -> Vec<Case> {
    vec![
        case!("AccountService", CreateAccountResponse, |_w, n, request_id| {
            v1::CreateAccountRequest {
                display_name: format!("Shop {n}"),
                market: "fr".to_owned(),
                request_id,
                ..Default::default()
            }
        }),
        case!("AccountService", UpdateAccountResponse, |w, _n, request_id| {
            v1::UpdateAccountRequest {
                id: w.account().await,
                account: Some(v1::Account {
                    display_name: "Other".to_owned(),
                    ..Default::default()
                }),
                request_id,
                ..Default::default()
            }
        }),
        case!("AccountService", DeleteAccountResponse, |w, _n, request_id| {
            v1::DeleteAccountRequest {
                id: w.account().await,
                request_id,
            }
        }),
        case!("AccountService", SetModeResponse, |w, _n, request_id| {
            v1::SetModeRequest {
                id: w.account().await,
                mode: v1::account::Mode::Manual.into(),
                request_id,
                ..Default::default()
            }
        }),
        case!("AccountService", ResumeAccountResponse, |w, _n, request_id| {
            let id = w.account().await;
            w.sql(&format!(
                "UPDATE accounts SET state = 'PAUSED', pause_time = 1 WHERE id = '{id}'"
            ))
            .await;
            v1::ResumeAccountRequest { id, request_id }
        }),
        case!("AccountService", ImportSessionResponse, |w, _n, request_id| {
            v1::ImportSessionRequest {
                account_id: w.manual().await,
                source: Some(v1::import_session_request::Source::CookieHeader(
                    COOKIES.to_owned(),
                )),
                user_agent: "Mozilla/5.0".to_owned(),
                request_id,
                ..Default::default()
            }
        }),
        case!("AccountService", ForgetSessionResponse, |w, _n, request_id| {
            v1::ForgetSessionRequest {
                account_id: w.account().await,
                request_id,
            }
        }),
        case!("AuthService", CreateApiTokenResponse, |_w, n, request_id| {
            v1::CreateApiTokenRequest {
                name: format!("token {n}"),
                scopes: vec!["media:read".to_owned()],
                request_id,
                ..Default::default()
            }
        }),
        case!("AuthService", RevokeApiTokenResponse, |w, _n, request_id| {
            v1::RevokeApiTokenRequest {
                id: w.token().await,
                request_id,
                ..Default::default()
            }
        }),
        case!("WardrobeService", ImportWardrobeResponse, |w, _n, request_id| {
            v1::ImportWardrobeRequest {
                account_id: w.account().await,
                request_id,
            }
        }),
        case!(
            "WardrobeService",
            AcceptRemoteChangesResponse,
            |w, _n, request_id| {
                v1::AcceptRemoteChangesRequest {
                    listing_id: w.published().await,
                    request_id,
                }
            }
        ),
    ]
}

fn listings() -> Vec<Case> {
    vec![
        case!("ListingService", CreateListingResponse, |w, _n, request_id| {
            v1::CreateListingRequest {
                account_id: w.account().await,
                request_id,
                ..Default::default()
            }
        }),
        case!(
            "ListingService",
            CreateListingFromPhotosResponse,
            |w, n, request_id| {
                v1::CreateListingFromPhotosRequest {
                    account_id: w.account().await,
                    photos: vec![v1::create_listing_from_photos_request::NewPhoto {
                        data: jpeg(n + 220).into(),
                        ..Default::default()
                    }],
                    request_id,
                    ..Default::default()
                }
            }
        ),
        case!("ListingService", UpdateListingResponse, |w, _n, request_id| {
            v1::UpdateListingRequest {
                id: w.listing().await,
                listing: Some(v1::ListingInput {
                    title: "Other".to_owned(),
                    ..Default::default()
                }),
                request_id,
                ..Default::default()
            }
        }),
        case!("ListingService", DeleteListingResponse, |w, _n, request_id| {
            v1::DeleteListingRequest {
                id: w.listing().await,
                request_id,
            }
        }),
        case!("MediaService", UploadPhotoResponse, |_w, n, request_id| {
            v1::UploadPhotoRequest {
                data: jpeg(n + 230).into(),
                request_id,
                ..Default::default()
            }
        }),
        case!(stream "MediaService", UploadPhotosResponse, |_w, n, request_id| {
            let start = v1::upload_photos_request::Start {
                request_id,
                ..Default::default()
            };
            let parts = [
                v1::upload_photos_request::Part::Start(start),
                v1::upload_photos_request::Part::Chunk(jpeg(n + 240).into()),
            ];
            parts.map(|part| v1::UploadPhotosRequest { part: Some(part) }).to_vec()
        }),
        case!("MediaService", DeletePhotoResponse, |w, _n, request_id| {
            v1::DeletePhotoRequest {
                id: w.photo().await,
                request_id,
            }
        }),
        case!("TemplateService", CreateTemplateResponse, |w, _n, request_id| {
            v1::CreateTemplateRequest {
                name: format!("New {}", w.number()),
                text: "Hello".to_owned(),
                request_id,
            }
        }),
        case!("TemplateService", UpdateTemplateResponse, |w, _n, request_id| {
            v1::UpdateTemplateRequest {
                id: w.template().await,
                template: Some(v1::Template {
                    text: "Other".to_owned(),
                    ..Default::default()
                }),
                request_id,
                ..Default::default()
            }
        }),
        case!("TemplateService", DeleteTemplateResponse, |w, _n, request_id| {
            v1::DeleteTemplateRequest {
                id: w.template().await,
                request_id,
            }
        }),
    ]
}

fn publishing() -> Vec<Case> {
    vec![
        case!("PublishService", PreparePublishResponse, |w, _n, request_id| {
            v1::PreparePublishRequest {
                listing_id: w.complete_listing().await,
                request_id,
                ..Default::default()
            }
        }),
        case!("PublishService", PrepareChangeResponse, |w, _n, request_id| {
            v1::PrepareChangeRequest {
                listing_id: w.published().await,
                change: Some(v1::prepare_change_request::Change::Hide(Default::default())),
                request_id,
            }
        }),
        case!("PublishService", ConfirmPublishResponse, |w, _n, request_id| {
            let (job_id, confirmation) = w.awaiting().await;
            v1::ConfirmPublishRequest {
                job_id,
                confirmation,
                dry_run: Some(false),
                request_id,
            }
        }),
        case!("PublishService", SchedulePublishResponse, |w, _n, request_id| {
            let (job_id, confirmation) = w.awaiting().await;
            let seconds = w.instance.context.clock.now() / 1000 + 3_600;
            v1::SchedulePublishRequest {
                job_id,
                confirmation,
                when: Some(v1::schedule_publish_request::When::Time(prost_types::Timestamp {
                    seconds,
                    nanos: 0,
                })),
                request_id,
            }
        }),
        case!("PublishService", CancelPublishJobResponse, |w, _n, request_id| {
            v1::CancelPublishJobRequest {
                id: w.job("").await,
                request_id,
            }
        }),
        case!("PublishService", RetryPublishJobResponse, |w, _n, request_id| {
            v1::RetryPublishJobRequest {
                id: w.job("state = 'FAILED'").await,
                request_id,
            }
        }),
        case!(
            "PublishService",
            ResolvePublishJobResponse,
            |w, _n, request_id| {
                let id = w.job("").await;
                w.effect_in_doubt(&id, "PUBLISH", "publish_jobs").await;
                v1::ResolvePublishJobRequest {
                    id,
                    outcome: Some(v1::resolve_publish_job_request::Outcome::NotPublished(
                        Default::default(),
                    )),
                    request_id,
                }
            }
        ),
    ]
}

fn threads() -> Vec<Case> {
    vec![
        case!("InboxService", MarkThreadsResponse, |w, _n, request_id| {
            v1::MarkThreadsRequest {
                ids: vec![w.thread().await],
                request_id,
                ..Default::default()
            }
        }),
        case!("InboxService", ArchiveThreadsResponse, |w, _n, request_id| {
            v1::ArchiveThreadsRequest {
                ids: vec![w.thread().await],
                request_id,
                ..Default::default()
            }
        }),
        case!("InboxService", LabelThreadsResponse, |w, _n, request_id| {
            v1::LabelThreadsRequest {
                ids: vec![w.thread().await],
                add: vec!["stock".to_owned()],
                request_id,
                ..Default::default()
            }
        }),
        case!("InboxService", SnoozeThreadResponse, |w, _n, request_id| {
            let seconds = w.instance.context.clock.now() / 1000 + 3_600;
            v1::SnoozeThreadRequest {
                id: w.thread().await,
                snooze_time: Some(prost_types::Timestamp { seconds, nanos: 0 }),
                request_id,
            }
        }),
        case!("InboxService", SetThreadNoteResponse, |w, _n, request_id| {
            v1::SetThreadNoteRequest {
                id: w.thread().await,
                note: "Regular".to_owned(),
                request_id,
            }
        }),
        case!("InboxService", DeleteThreadResponse, |w, _n, request_id| {
            v1::DeleteThreadRequest {
                id: w.thread().await,
                request_id,
            }
        }),
        case!(
            "InboxService",
            ConfirmThreadRemovalResponse,
            |w, _n, request_id| {
                let (id, confirmation) = w.removal().await;
                v1::ConfirmThreadRemovalRequest {
                    id,
                    confirmation,
                    dry_run: Some(false),
                    request_id,
                }
            }
        ),
    ]
}

fn replies() -> Vec<Case> {
    vec![
        case!("InboxService", SendReplyResponse, |w, _n, request_id| {
            v1::SendReplyRequest {
                thread_id: w.thread().await,
                text: "Yes".to_owned(),
                request_id,
                ..Default::default()
            }
        }),
        case!("InboxService", ConfirmReplyResponse, |w, _n, request_id| {
            let reply = w.reply(true, "").await;
            v1::ConfirmReplyRequest {
                id: reply.id,
                confirmation: reply.confirmation,
                dry_run: Some(false),
                request_id,
            }
        }),
        case!("InboxService", CancelReplyResponse, |w, _n, request_id| {
            v1::CancelReplyRequest {
                id: w.reply(false, "").await.id,
                request_id,
            }
        }),
        case!("InboxService", RetryReplyResponse, |w, _n, request_id| {
            v1::RetryReplyRequest {
                id: w.reply(false, "state = 'FAILED'").await.id,
                request_id,
            }
        }),
        case!("InboxService", ResolveReplyResponse, |w, _n, request_id| {
            let id = w.reply(false, "").await.id;
            w.effect_in_doubt(&id, "REPLY", "replies").await;
            v1::ResolveReplyRequest {
                id,
                outcome: Some(v1::resolve_reply_request::Outcome::NotSent(Default::default())),
                request_id,
            }
        }),
    ]
}

fn webhooks() -> Vec<Case> {
    vec![
        case!("WebhookService", CreateEndpointResponse, |w, _n, request_id| {
            v1::CreateEndpointRequest {
                endpoint: endpoint(w.number()),
                request_id,
                ..Default::default()
            }
        }),
        case!("WebhookService", UpdateEndpointResponse, |w, _n, request_id| {
            v1::UpdateEndpointRequest {
                id: w.endpoint().await,
                endpoint: endpoint(w.number()),
                request_id,
                ..Default::default()
            }
        }),
        case!("WebhookService", DeleteEndpointResponse, |w, _n, request_id| {
            v1::DeleteEndpointRequest {
                id: w.endpoint().await,
                request_id,
            }
        }),
        case!("WebhookService", RotateSecretResponse, |w, _n, request_id| {
            v1::RotateSecretRequest {
                id: w.endpoint().await,
                request_id,
                ..Default::default()
            }
        }),
        case!("WebhookService", SendTestResponse, |w, _n, request_id| {
            v1::SendTestRequest {
                endpoint_id: w.endpoint().await,
                request_id,
            }
        }),
        case!("WebhookService", ReplayDeliveryResponse, |w, _n, request_id| {
            v1::ReplayDeliveryRequest {
                id: w.delivery().await,
                request_id,
            }
        }),
        case!("WebhookService", ReplayDeliveriesResponse, |w, _n, request_id| {
            v1::ReplayDeliveriesRequest {
                endpoint_id: w.endpoint().await,
                start_time: Some(prost_types::Timestamp { seconds: 1, nanos: 0 }),
                request_id,
                ..Default::default()
            }
        }),
    ]
}
