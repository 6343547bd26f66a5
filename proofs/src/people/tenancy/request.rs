//! Requests: their fields with ids, and the other fields that a method requires.

use anyhow::{Context as _, Result};
use prost::Message as _;
use protox::prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};
use tonic::Code;
use vintedbot_sdk::v1::create_listing_from_photos_request::NewPhoto;
use vintedbot_sdk::v1::import_session_request::Source;
use vintedbot_sdk::v1::prepare_change_request::Change;
use vintedbot_sdk::v1::resolve_names_request::Query;
use vintedbot_sdk::v1::schedule_publish_request::When;
use vintedbot_sdk::v1::{
    self, Account, ListingInput, Template, WebhookEndpoint, preview_template_request,
    resolve_publish_job_request, resolve_reply_request,
};
use vintedbot_sdk::{Timestamp, mask};

use super::tenant::Tenant;
use crate::photos;

/// Fields with the name of an id that name no resource: an idempotency key, and an item on the marketplace.
const FOREIGN: [&str; 2] = ["request_id", "remote_item_id"];
/// Messages whose ids are output only.
const OUTPUT: [&str; 3] = ["Account", "Template", "WebhookEndpoint"];

/// The answers to an unknown id other than NOT_FOUND: the method, the field, the code, and the reason for it.
#[rustfmt::skip]
const OTHER_ANSWERS: [(&str, &str, Code, &str); 20] = [
    ("EventService/Watch", "account_ids", Code::Ok, "a filter, which excludes all"),
    ("EventService/Watch", "thread_ids", Code::Ok, "a filter, which excludes all threads"),
    ("InboxService/ListReplies", "thread_id", Code::Ok, "a filter, which excludes all"),
    ("InboxService/ListThreads", "account_ids", Code::Ok, "a filter, which excludes all"),
    ("InboxService/ResolveReply", "sent.message_id", Code::InvalidArgument, "a field of the outcome"),
    ("InboxService/Search", "account_id", Code::Ok, "a filter, which excludes all"),
    ("InboxService/Search", "person_id", Code::Ok, "a filter, which excludes all"),
    ("InboxService/Search", "thread_id", Code::Ok, "a filter, which excludes all"),
    ("InboxService/SendReply", "photo_ids", Code::InvalidArgument, "a field of the content"),
    ("ListingService/CreateListing", "listing.photo_ids", Code::InvalidArgument, "a field of the content"),
    ("ListingService/CreateListingFromPhotos", "listing.photo_ids", Code::InvalidArgument, "a field of the content"),
    ("ListingService/ListListings", "account_id", Code::Ok, "a filter, which excludes all"),
    ("ListingService/SearchListings", "account_id", Code::Ok, "a filter, which excludes all"),
    ("ListingService/UpdateListing", "listing.photo_ids", Code::InvalidArgument, "a field of the content"),
    ("MarketplaceSearchService/SearchItems", "account_id", Code::Unimplemented, "this server has no marketplace search"),
    ("MediaService/ListPhotos", "listing_id", Code::Ok, "a filter, which excludes all"),
    ("PublishService/ListPublishJobs", "account_id", Code::Ok, "a filter, which excludes all"),
    ("PublishService/ListPublishJobs", "listing_id", Code::Ok, "a filter, which excludes all"),
    ("PublishService/PrepareChange", "edit.listing.photo_ids", Code::InvalidArgument, "a field of the content"),
    ("WebhookService/ListDeliveries", "endpoint_id", Code::Ok, "a filter, which excludes all"),
];

/// Returns the code of the answer to an unknown id.
pub fn expected(method: &str, field: &str) -> Code {
    let other = OTHER_ANSWERS
        .iter()
        .find(|(of, in_field, ..)| (*of, *in_field) == (method, field));
    other.map_or(Code::NotFound, |(_, _, code, _)| *code)
}

/// A field of a request that contains an id, by its path of nested fields.
pub struct IdField(Vec<FieldDescriptor>);

impl IdField {
    /// Returns the path as violations name it, such as `listing.photo_ids`.
    pub fn name(&self) -> String {
        let names: Vec<_> = self.0.iter().map(FieldDescriptor::name).collect();
        names.join(".")
    }
}

/// Returns all fields of a request that contain ids.
pub fn id_fields(request: &MessageDescriptor) -> Vec<IdField> {
    let mut found = Vec::new();
    collect(request, &[], &mut found);
    found
}

fn collect(message: &MessageDescriptor, outer: &[FieldDescriptor], found: &mut Vec<IdField>) {
    for field in message.fields() {
        let mut path = outer.to_vec();
        path.push(field.clone());
        match field.kind() {
            Kind::String if is_id(field.name()) => found.push(IdField(path)),
            Kind::Message(inner) if !field.is_list() && !OUTPUT.contains(&inner.name()) => {
                collect(&inner, &path, found);
            }
            _ => {}
        }
    }
}

fn is_id(name: &str) -> bool {
    let named = ["id", "ids"].contains(&name) || name.ends_with("_id") || name.ends_with("_ids");
    named && !FOREIGN.contains(&name)
}

/// Encodes the request of a caller with `id` in one field.
pub fn with_id(
    request: &MessageDescriptor,
    method: &str,
    caller: &Tenant,
    field: &IdField,
    id: &str,
) -> Result<Vec<u8>> {
    let base = base(method, caller)?;
    let mut request = DynamicMessage::decode(request.clone(), base.as_slice())?;
    let (last, outer) = field.0.split_last().context("a field has a path")?;
    let mut message = &mut request;
    for field in outer {
        let inner = message.get_field_mut(field).as_message_mut();
        message = inner.context("a nested field is a message")?;
    }
    let id = Value::String(id.to_owned());
    message.set_field(last, if last.is_list() { Value::List(vec![id]) } else { id });
    Ok(request.encode_to_vec())
}

/// Encodes the part of a request that a method needs to look an id up: required fields, and ids of the caller's own
/// resources.
fn base(method: &str, caller: &Tenant) -> Result<Vec<u8>> {
    let text = "Another sweat".to_owned();
    let listing = Some(ListingInput {
        title: text.clone(),
        ..Default::default()
    });
    Ok(match method {
        "AccountService/ImportSession" => v1::ImportSessionRequest {
            source: Some(Source::CookieHeader("access_token_web=a".to_owned())),
            user_agent: "Mozilla/5.0".to_owned(),
            ..Default::default()
        }
        .encode_to_vec(),
        "AccountService/SetMode" => v1::SetModeRequest {
            mode: v1::account::Mode::Mock.into(),
            ..Default::default()
        }
        .encode_to_vec(),
        "AccountService/UpdateAccount" => v1::UpdateAccountRequest {
            account: Some(Account {
                display_name: text,
                ..Default::default()
            }),
            ..Default::default()
        }
        .encode_to_vec(),
        "AuthService/RevokeApiToken" => v1::RevokeApiTokenRequest {
            id: caller.id("API token"),
            ..Default::default()
        }
        .encode_to_vec(),
        "AuthService/UpdateUser" => v1::UpdateUserRequest {
            role: v1::Role::Viewer.into(),
            ..Default::default()
        }
        .encode_to_vec(),
        "CatalogService/GetCategory" => v1::GetCategoryRequest {
            id: 1,
            ..Default::default()
        }
        .encode_to_vec(),
        "CatalogService/ListSizes" => v1::ListSizesRequest {
            category_id: 1,
            ..Default::default()
        }
        .encode_to_vec(),
        "CatalogService/ResolveNames" => v1::ResolveNamesRequest {
            queries: vec![Query {
                kind: v1::NameKind::Brand.into(),
                name: "Nike".to_owned(),
                ..Default::default()
            }],
            ..Default::default()
        }
        .encode_to_vec(),
        "EventService/Watch" => v1::WatchRequest {
            snapshot: true,
            ..Default::default()
        }
        .encode_to_vec(),
        "InboxService/ConfirmThreadRemoval" => v1::ConfirmThreadRemovalRequest {
            confirmation: Some(caller.removal.clone()),
            ..Default::default()
        }
        .encode_to_vec(),
        "InboxService/LabelThreads" => v1::LabelThreadsRequest {
            add: vec![text],
            ..Default::default()
        }
        .encode_to_vec(),
        "InboxService/ResolveReply" => v1::ResolveReplyRequest {
            id: caller.id("reply"),
            outcome: Some(resolve_reply_request::Outcome::NotSent(Default::default())),
            ..Default::default()
        }
        .encode_to_vec(),
        "InboxService/SaveDraft" => v1::SaveDraftRequest {
            text,
            expected_version: Some(0),
            ..Default::default()
        }
        .encode_to_vec(),
        // All workspaces have this word in a message.
        "InboxService/Search" => v1::SearchRequest {
            query: "bonjour".to_owned(),
            ..Default::default()
        }
        .encode_to_vec(),
        "InboxService/SendReply" => v1::SendReplyRequest {
            thread_id: caller.id("thread"),
            text,
            manual: true,
            ..Default::default()
        }
        .encode_to_vec(),
        "InboxService/SetThreadNote" => v1::SetThreadNoteRequest {
            note: text,
            ..Default::default()
        }
        .encode_to_vec(),
        "ListingService/CreateListing" => v1::CreateListingRequest {
            account_id: caller.id("account"),
            listing,
            ..Default::default()
        }
        .encode_to_vec(),
        "ListingService/CreateListingFromPhotos" => v1::CreateListingFromPhotosRequest {
            account_id: caller.id("account"),
            photos: vec![NewPhoto {
                data: photos::jpeg(0, 300, 400)?.into(),
                ..Default::default()
            }],
            listing,
            ..Default::default()
        }
        .encode_to_vec(),
        "ListingService/SearchListings" => v1::SearchListingsRequest {
            query: "sweat".to_owned(),
            ..Default::default()
        }
        .encode_to_vec(),
        "ListingService/UpdateListing" => v1::UpdateListingRequest {
            id: caller.id("listing"),
            listing,
            ..Default::default()
        }
        .encode_to_vec(),
        "PublishService/PrepareChange" => v1::PrepareChangeRequest {
            listing_id: caller.id("published listing"),
            change: Some(Change::Hide(Default::default())),
            ..Default::default()
        }
        .encode_to_vec(),
        "PublishService/ResolvePublishJob" => v1::ResolvePublishJobRequest {
            outcome: Some(resolve_publish_job_request::Outcome::NotPublished(
                Default::default(),
            )),
            ..Default::default()
        }
        .encode_to_vec(),
        "PublishService/SchedulePublish" => v1::SchedulePublishRequest {
            when: Some(When::Time(Timestamp {
                seconds: 4_000_000_000,
                nanos: 0,
            })),
            ..Default::default()
        }
        .encode_to_vec(),
        "TemplateService/PreviewTemplate" => v1::PreviewTemplateRequest {
            thread_id: caller.id("thread"),
            source: Some(preview_template_request::Source::TemplateId(
                caller.id("template"),
            )),
        }
        .encode_to_vec(),
        "TemplateService/UpdateTemplate" => v1::UpdateTemplateRequest {
            template: Some(Template {
                text,
                ..Default::default()
            }),
            ..Default::default()
        }
        .encode_to_vec(),
        "WebhookService/ReplayDeliveries" => v1::ReplayDeliveriesRequest {
            start_time: Some(Timestamp { seconds: 1, nanos: 0 }),
            ..Default::default()
        }
        .encode_to_vec(),
        // Only the description, because an address is looked up first.
        "WebhookService/UpdateEndpoint" => v1::UpdateEndpointRequest {
            endpoint: Some(WebhookEndpoint {
                description: text,
                ..Default::default()
            }),
            update_mask: Some(mask(["description"])),
            ..Default::default()
        }
        .encode_to_vec(),
        _ => Vec::new(),
    })
}
