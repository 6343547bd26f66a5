//! Events, ephemeral progress messages, and the resources that they carry.

use vintedbot_domain::accounts::Account;
use vintedbot_domain::clock::Millis;
use vintedbot_domain::events::{Ephemeral, Event, Kind, ResourceType};
use vintedbot_domain::identity::{ApiToken, Caller, Scope, User, UserSession};
use vintedbot_domain::inbox::{Message, Reply, Template, Thread};
use vintedbot_domain::listings::Listing;
use vintedbot_domain::media::Photo;
use vintedbot_domain::publishing::PublishJob;
use vintedbot_domain::wardrobe::WardrobeImport;
use vintedbot_domain::webhooks::Endpoint;
use vintedbot_proto::v1;
use vintedbot_proto::v1::ephemeral::Progress;

use super::{
    account, api_token, inbox, listing, photo, publish_job, saturating_i32, saturating_u64, template,
    timestamp, user, wardrobe, webhook,
};
use crate::signed::Signer;

pub fn kind(kind: Kind) -> v1::EventKind {
    match kind {
        Kind::AccountCreated => v1::EventKind::AccountCreated,
        Kind::AccountUpdated => v1::EventKind::AccountUpdated,
        Kind::AccountDeleted => v1::EventKind::AccountDeleted,
        Kind::AccountModeChanged => v1::EventKind::AccountModeChanged,
        Kind::AccountPaused => v1::EventKind::AccountPaused,
        Kind::AccountResumed => v1::EventKind::AccountResumed,
        Kind::AccountSessionImported => v1::EventKind::AccountSessionImported,
        Kind::AccountSessionInvalidated => v1::EventKind::AccountSessionInvalidated,
        Kind::AccountSessionForgotten => v1::EventKind::AccountSessionForgotten,
        Kind::ApiTokenCreated => v1::EventKind::ApiTokenCreated,
        Kind::ApiTokenRevoked => v1::EventKind::ApiTokenRevoked,
        Kind::ApiTokenUpdated => v1::EventKind::ApiTokenUpdated,
        Kind::PhotoCreated => v1::EventKind::PhotoCreated,
        Kind::PhotoDeleted => v1::EventKind::PhotoDeleted,
        Kind::ListingCreated => v1::EventKind::ListingCreated,
        Kind::ListingUpdated => v1::EventKind::ListingUpdated,
        Kind::ListingDeleted => v1::EventKind::ListingDeleted,
        Kind::WardrobeImportCreated => v1::EventKind::WardrobeImportCreated,
        Kind::WardrobeImportUpdated => v1::EventKind::WardrobeImportUpdated,
        Kind::WardrobeImportEnded => v1::EventKind::WardrobeImportEnded,
        Kind::PublishJobCreated => v1::EventKind::PublishJobCreated,
        Kind::PublishJobUpdated => v1::EventKind::PublishJobUpdated,
        Kind::PublishJobReady => v1::EventKind::PublishJobReady,
        Kind::PublishJobConfirmed => v1::EventKind::PublishJobConfirmed,
        Kind::PublishJobPublishing => v1::EventKind::PublishJobPublishing,
        Kind::PublishJobUnconfirmed => v1::EventKind::PublishJobUnconfirmed,
        Kind::PublishJobBlocked => v1::EventKind::PublishJobBlocked,
        Kind::PublishJobPublished => v1::EventKind::PublishJobPublished,
        Kind::PublishJobFailed => v1::EventKind::PublishJobFailed,
        Kind::PublishJobCancelled => v1::EventKind::PublishJobCancelled,
        Kind::PublishJobExpired => v1::EventKind::PublishJobExpired,
        Kind::PublishJobScheduled => v1::EventKind::PublishJobScheduled,
        Kind::PublishJobManualTakeover => v1::EventKind::PublishJobManualTakeover,
        Kind::PublishJobDone => v1::EventKind::PublishJobDone,
        Kind::PossibleDuplicate => v1::EventKind::PossibleDuplicate,
        Kind::ThreadCreated => v1::EventKind::ThreadCreated,
        Kind::ThreadUpdated => v1::EventKind::ThreadUpdated,
        Kind::ThreadDeleted => v1::EventKind::ThreadDeleted,
        Kind::ThreadDraftSaved => v1::EventKind::ThreadDraftSaved,
        Kind::MessageReceived => v1::EventKind::MessageReceived,
        Kind::MessageSent => v1::EventKind::MessageSent,
        Kind::MessageUpdated => v1::EventKind::MessageUpdated,
        Kind::ReplyCreated => v1::EventKind::ReplyCreated,
        Kind::ReplyUpdated => v1::EventKind::ReplyUpdated,
        Kind::ReplySending => v1::EventKind::ReplySending,
        Kind::ReplySent => v1::EventKind::ReplySent,
        Kind::ReplyUnconfirmed => v1::EventKind::ReplyUnconfirmed,
        Kind::ReplyFailed => v1::EventKind::ReplyFailed,
        Kind::ReplyBlocked => v1::EventKind::ReplyBlocked,
        Kind::ReplyCancelled => v1::EventKind::ReplyCancelled,
        Kind::ReplyPossibleDuplicate => v1::EventKind::ReplyPossibleDuplicate,
        Kind::TemplateCreated => v1::EventKind::TemplateCreated,
        Kind::TemplateUpdated => v1::EventKind::TemplateUpdated,
        Kind::TemplateDeleted => v1::EventKind::TemplateDeleted,
        Kind::WebhookEndpointCreated => v1::EventKind::WebhookEndpointCreated,
        Kind::WebhookEndpointUpdated => v1::EventKind::WebhookEndpointUpdated,
        Kind::WebhookEndpointDisabled => v1::EventKind::WebhookEndpointDisabled,
        Kind::WebhookEndpointDeleted => v1::EventKind::WebhookEndpointDeleted,
        Kind::UserCreated => v1::EventKind::UserCreated,
        Kind::UserUpdated => v1::EventKind::UserUpdated,
        Kind::UserDeleted => v1::EventKind::UserDeleted,
        Kind::UserSessionEnded => v1::EventKind::UserSessionEnded,
    }
}

/// Returns the resource type of an event kind; `None` for the unspecified kind.
pub fn resource_type_of(kind: v1::EventKind) -> Option<ResourceType> {
    use v1::EventKind as K;
    match kind {
        K::Unspecified => None,
        K::AccountCreated
        | K::AccountUpdated
        | K::AccountDeleted
        | K::AccountModeChanged
        | K::AccountPaused
        | K::AccountResumed
        | K::AccountSessionImported
        | K::AccountSessionInvalidated
        | K::AccountSessionForgotten => Some(ResourceType::Account),
        K::ApiTokenCreated | K::ApiTokenRevoked | K::ApiTokenUpdated => Some(ResourceType::ApiToken),
        K::PhotoCreated | K::PhotoDeleted => Some(ResourceType::Photo),
        K::ListingCreated | K::ListingUpdated | K::ListingDeleted => Some(ResourceType::Listing),
        K::WardrobeImportCreated | K::WardrobeImportUpdated | K::WardrobeImportEnded => {
            Some(ResourceType::WardrobeImport)
        }
        K::PublishJobCreated
        | K::PublishJobUpdated
        | K::PublishJobReady
        | K::PublishJobConfirmed
        | K::PublishJobPublishing
        | K::PublishJobUnconfirmed
        | K::PublishJobBlocked
        | K::PublishJobManualTakeover
        | K::PublishJobPublished
        | K::PublishJobFailed
        | K::PublishJobCancelled
        | K::PublishJobExpired
        | K::PublishJobScheduled
        | K::PublishJobDone
        | K::PossibleDuplicate => Some(ResourceType::PublishJob),
        K::ThreadCreated | K::ThreadUpdated | K::ThreadDeleted | K::ThreadDraftSaved => {
            Some(ResourceType::Thread)
        }
        K::MessageReceived | K::MessageSent | K::MessageUpdated => Some(ResourceType::Message),
        K::ReplyCreated
        | K::ReplyUpdated
        | K::ReplySending
        | K::ReplySent
        | K::ReplyUnconfirmed
        | K::ReplyFailed
        | K::ReplyBlocked
        | K::ReplyCancelled
        | K::ReplyPossibleDuplicate => Some(ResourceType::Reply),
        K::TemplateCreated | K::TemplateUpdated | K::TemplateDeleted => Some(ResourceType::Template),
        K::WebhookEndpointCreated
        | K::WebhookEndpointUpdated
        | K::WebhookEndpointDisabled
        | K::WebhookEndpointDeleted => Some(ResourceType::WebhookEndpoint),
        K::UserCreated | K::UserUpdated | K::UserDeleted => Some(ResourceType::User),
        K::UserSessionEnded => Some(ResourceType::UserSession),
    }
}

pub fn resource_type(resource_type: ResourceType) -> v1::ResourceType {
    match resource_type {
        ResourceType::Account => v1::ResourceType::Account,
        ResourceType::ApiToken => v1::ResourceType::ApiToken,
        ResourceType::Photo => v1::ResourceType::Photo,
        ResourceType::Listing => v1::ResourceType::Listing,
        ResourceType::PublishJob => v1::ResourceType::PublishJob,
        ResourceType::WardrobeImport => v1::ResourceType::WardrobeImport,
        ResourceType::Thread => v1::ResourceType::Thread,
        ResourceType::Message => v1::ResourceType::Message,
        ResourceType::Reply => v1::ResourceType::Reply,
        ResourceType::Template => v1::ResourceType::Template,
        ResourceType::WebhookEndpoint => v1::ResourceType::WebhookEndpoint,
        ResourceType::User => v1::ResourceType::User,
        ResourceType::UserSession => v1::ResourceType::UserSession,
    }
}

/// Returns the resource types of a topic; `None` for the unspecified topic.
pub fn resource_types_of(topic: v1::Topic) -> Option<&'static [ResourceType]> {
    match topic {
        v1::Topic::Unspecified => None,
        v1::Topic::Accounts => Some(&[ResourceType::Account]),
        v1::Topic::ApiTokens => Some(&[ResourceType::ApiToken]),
        v1::Topic::Photos => Some(&[ResourceType::Photo]),
        v1::Topic::Listings => Some(&[ResourceType::Listing, ResourceType::WardrobeImport]),
        v1::Topic::Publishing => Some(&[ResourceType::PublishJob]),
        v1::Topic::Inbox => Some(&[ResourceType::Thread, ResourceType::Message, ResourceType::Reply]),
        v1::Topic::Templates => Some(&[ResourceType::Template]),
        v1::Topic::Webhooks => Some(&[ResourceType::WebhookEndpoint]),
        v1::Topic::People => Some(&[ResourceType::User, ResourceType::UserSession]),
    }
}

/// Returns whether the caller may read the content of resources of a type.
pub fn is_readable(caller: &Caller, resource_type: ResourceType) -> bool {
    match resource_type {
        // As in ListUsers and ListUserSessions, which refuse API tokens and which every role may call.
        ResourceType::User | ResourceType::UserSession => caller.person.is_some(),
        other => other.is_readable(&caller.scopes),
    }
}

/// Converts an event, with the parts that the caller may read. If the payload cannot be read, the event has an empty
/// resource and the stream continues.
pub fn event(signer: &Signer<'_>, caller: &Caller, event: &Event) -> v1::Event {
    let readable = is_readable(caller, event.resource_type);
    let resource = match event.payload.as_str() {
        "null" => None,
        payload if readable => Some(
            resource(signer, caller, event.resource_type, payload).unwrap_or_else(|error| {
                tracing::error!(%error, sequence = event.sequence, "the payload of an event cannot be read");
                v1::Resource { resource: None }
            }),
        ),
        _ => Some(v1::Resource { resource: None }),
    };
    v1::Event {
        sequence: saturating_u64(event.sequence),
        time: Some(timestamp(event.time)),
        kind: kind(event.kind).into(),
        resource_type: resource_type(event.resource_type).into(),
        resource_id: event.resource_id.clone(),
        account_id: event.account_id.clone().unwrap_or_default(),
        thread_id: event.thread_id.clone().unwrap_or_default(),
        resource,
    }
}

fn resource(
    signer: &Signer<'_>,
    caller: &Caller,
    resource_type: ResourceType,
    payload: &str,
) -> Result<v1::Resource, serde_json::Error> {
    use v1::resource::Resource as R;
    let resource = match resource_type {
        ResourceType::Account => R::Account(account::to_proto(serde_json::from_str::<Account>(payload)?)),
        ResourceType::ApiToken => {
            R::ApiToken(api_token::to_proto(serde_json::from_str::<ApiToken>(payload)?))
        }
        ResourceType::Photo => R::Photo(photo::to_proto(signer, serde_json::from_str::<Photo>(payload)?)),
        ResourceType::Listing => R::Listing(listing::to_proto(serde_json::from_str::<Listing>(payload)?)),
        ResourceType::PublishJob => R::PublishJob(publish_job::to_proto(
            signer,
            serde_json::from_str::<PublishJob>(payload)?,
        )),
        ResourceType::WardrobeImport => R::WardrobeImport(wardrobe::to_proto(serde_json::from_str::<
            WardrobeImport,
        >(payload)?)),
        ResourceType::Thread => R::Thread(inbox::thread(serde_json::from_str::<Thread>(payload)?)),
        ResourceType::Message => R::Message(inbox::message(serde_json::from_str::<Message>(payload)?)),
        ResourceType::Reply => R::Reply(inbox::reply(serde_json::from_str::<Reply>(payload)?)),
        ResourceType::Template => R::Template(template::to_proto(serde_json::from_str::<Template>(payload)?)),
        ResourceType::WebhookEndpoint => {
            R::WebhookEndpoint(webhook::endpoint(serde_json::from_str::<Endpoint>(payload)?))
        }
        ResourceType::User => R::User(user::to_proto(serde_json::from_str::<User>(payload)?)),
        ResourceType::UserSession => {
            let session = serde_json::from_str::<UserSession>(payload)?;
            let person = caller.person.as_ref();
            // Devices and addresses are shown only to the person who used them, as in ListUserSessions.
            if person.is_none_or(|person| person.user_id != session.user_id) {
                return Ok(v1::Resource { resource: None });
            }
            R::UserSession(user::session(caller, session))
        }
    };
    Ok(v1::Resource {
        resource: Some(resource),
    })
}

/// Converts an ephemeral message. `None` if the caller's token may not read it.
pub fn ephemeral(
    signer: &Signer<'_>,
    caller: &Caller,
    ephemeral: &Ephemeral,
    now: Millis,
) -> Option<v1::Ephemeral> {
    let (scope, time, progress) = match ephemeral {
        Ephemeral::Photos {
            request_id,
            done,
            total,
            file_name,
        } => {
            let photos = v1::ephemeral::PhotoProgress {
                request_id: request_id.clone(),
                done: *done,
                total: *total,
                file_name: file_name.clone(),
            };
            (Scope::MediaRead, now, Progress::Photos(photos))
        }
        Ephemeral::PublishStep {
            publish_job_id,
            number,
            attempt,
            step,
            outcome,
            message,
            time,
            selector,
            thumbnail_key,
        } => {
            let step = v1::PublishStep {
                number: *number,
                attempt: saturating_i32(*attempt),
                step: step.clone(),
                outcome: publish_job::step_outcome(outcome).into(),
                message: message.clone(),
                time: Some(timestamp(*time)),
                screenshot_id: String::new(),
                selector: selector.clone().unwrap_or_default(),
                thumbnail_url: publish_job::thumbnail_url(signer, thumbnail_key.as_deref()),
            };
            let progress = v1::ephemeral::PublishStepProgress {
                publish_job_id: publish_job_id.clone(),
                step: Some(step),
            };
            (Scope::PublishRead, *time, Progress::PublishStep(progress))
        }
        Ephemeral::InboxFreshness {
            account_id,
            freshness,
        } => {
            let fresh = v1::ephemeral::InboxFreshness {
                account_id: account_id.clone(),
                freshness: Some(account::freshness(freshness.clone())),
            };
            (Scope::AccountsRead, now, Progress::InboxFreshness(fresh))
        }
    };
    caller.scopes.contains(scope).then(|| v1::Ephemeral {
        time: Some(timestamp(time)),
        progress: Some(progress),
    })
}
