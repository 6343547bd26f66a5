//! docs/webhooks.md lists every event type with the JSON that is sent. `UPDATE=1` rewrites the page.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use prost::Message as _;
use prost_types::FileDescriptorSet;
use sea_orm::{ActiveEnum as _, Iterable as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use vintedbot_domain::accounts::Account;
use vintedbot_domain::events::{Event, Kind, Resource, ResourceType};
use vintedbot_domain::identity::{ApiToken, Scopes, User, UserSession};
use vintedbot_domain::inbox::{Message, Reply, Template, Thread};
use vintedbot_domain::listings::Listing;
use vintedbot_domain::media::Photo;
use vintedbot_domain::publishing::PublishJob;
use vintedbot_domain::wardrobe::WardrobeImport;
use vintedbot_domain::webhooks::{Endpoint, body, type_of, types};
use vintedbot_proto::FILE_DESCRIPTOR_SET;

const BEGIN: &str = "<!-- types -->\n";
const END: &str = "<!-- /types -->";
const SAMPLES: &str = include_str!("../data/webhook_samples.json");
/// 2026-11-28T09:30:00Z.
const TIME: i64 = 1_795_858_200_000;

/// Returns a resource of each type with exactly the fields that the log stores. Decoding it into the domain's type and
/// encoding it again gives the same JSON.
fn samples() -> HashMap<String, (Value, Option<String>, Option<String>)> {
    let stored: HashMap<String, Value> = serde_json::from_str(SAMPLES).expect("JSON");
    let exact = |resource_type: ResourceType, given: Value| {
        let name = resource_type.to_value();
        assert_eq!(
            given, stored[&name],
            "the sample of {name} is not as the log has it"
        );
    };
    let mut samples = HashMap::new();
    let mut add = |given: (ResourceType, Value, Option<String>, Option<String>)| {
        exact(given.0, given.1.clone());
        samples.insert(given.0.to_value(), (given.1, given.2, given.3));
    };
    fn read<R: Resource + DeserializeOwned + Serialize>(
        stored: &HashMap<String, Value>,
    ) -> (ResourceType, Value, Option<String>, Option<String>) {
        let value = stored[&R::TYPE.to_value()].clone();
        let resource: R =
            serde_json::from_value(value).unwrap_or_else(|error| panic!("{:?}: {error}", R::TYPE));
        let of = |id: Option<&str>| id.map(str::to_owned);
        let (account, thread) = (of(resource.account_id()), of(resource.thread_id()));
        (
            R::TYPE,
            serde_json::to_value(&resource).expect("JSON"),
            account,
            thread,
        )
    }
    add(read::<Account>(&stored));
    add(read::<ApiToken>(&stored));
    add(read::<Photo>(&stored));
    add(read::<Listing>(&stored));
    add(read::<PublishJob>(&stored));
    add(read::<WardrobeImport>(&stored));
    add(read::<Thread>(&stored));
    add(read::<Message>(&stored));
    add(read::<Reply>(&stored));
    add(read::<Template>(&stored));
    add(read::<Endpoint>(&stored));
    add(read::<User>(&stored));
    add(read::<UserSession>(&stored));
    samples
}

/// Returns the subject of each event kind, and the contract's comment on it.
fn meaning(kind: Kind) -> (ResourceType, String) {
    let files = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).expect("a descriptor set");
    let file = files
        .file
        .iter()
        .find(|file| file.name().ends_with("/event.proto"))
        .expect("the file");
    let kinds = file
        .enum_type
        .iter()
        .position(|one| one.name() == "EventKind")
        .expect("the enum");
    let name = format!("EVENT_KIND_{}", kind.to_value());
    let at = file.enum_type[kinds]
        .value
        .iter()
        .position(|value| value.name() == name)
        .unwrap_or_else(|| panic!("{name} is not in the contract"));
    let path = [5, kinds, 2, at].map(|number| i32::try_from(number).expect("few"));
    let comments = file.source_code_info.as_ref().expect("comments");
    let words = comments
        .location
        .iter()
        .find(|location| location.path == path)
        .map(|location| {
            location
                .leading_comments()
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
        })
        .expect("every value has a comment");
    let name = kind.to_value();
    let resource_type = ResourceType::iter()
        .filter(|one| name.starts_with(&one.to_value()))
        .max_by_key(|one| one.to_value().len())
        .unwrap_or(ResourceType::PublishJob);
    (resource_type, words)
}

fn generated() -> String {
    let samples = samples();
    let mut text = String::new();
    for kind in Kind::iter() {
        let (resource_type, words) = meaning(kind);
        let (sample, account_id, thread_id) = samples[&resource_type.to_value()].clone();
        let gone = kind.to_value().ends_with("_DELETED");
        let event = Event {
            sequence: 1042,
            time: TIME,
            kind,
            resource_type,
            resource_id: sample["id"].as_str().unwrap_or_default().to_owned(),
            account_id,
            thread_id,
            payload: if gone {
                "null".to_owned()
            } else {
                sample.to_string()
            },
        };
        let sent = body(&event, &Scopes::all()).expect("JSON");
        write!(
            text,
            "\n### `{}`\n\n{words}\n\n```json\n{sent}\n```\n",
            type_of(kind)
        )
        .expect("a string");
    }
    text
}

/// Splits a text into lines. Lines of JSON compare without the order of their fields, which depends on build features.
fn lines(text: &str) -> impl Iterator<Item = Value> {
    text.lines().map(|line| {
        let json = serde_json::from_str(line).ok().filter(Value::is_object);
        json.unwrap_or_else(|| Value::from(line))
    })
}

#[test]
fn documentation_lists_every_webhook_type_with_its_json() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/webhooks.md");
    let text = fs::read_to_string(&path).expect("docs/webhooks.md");
    let (before, rest) = text.split_once(BEGIN).expect("the beginning is marked");
    let (written, after) = rest.split_once(END).expect("the end is marked");
    let fresh = generated() + "\n";
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        fs::write(&path, format!("{before}{BEGIN}{fresh}{END}{after}")).expect("is written");
        return;
    }
    assert!(
        lines(written).eq(lines(&fresh)),
        "docs/webhooks.md differs from the events that are sent; UPDATE=1 cargo nextest run -p vintedbot-server webhook_types rewrites it"
    );
    for event_type in types() {
        assert!(written.contains(&format!("### `{event_type}`")), "{event_type}");
    }
    for word in [
        "workspace_id",
        "screenshot_key",
        "confirm_token",
        "whsec_",
        "cookie_value",
    ] {
        assert!(!written.contains(word), "{word}");
    }
}
