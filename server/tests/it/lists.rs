//! Every list in a request has a limit. The contract states the limit, and the server checks it before the entries.

use std::time::Duration;

use prost::Message as _;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FileDescriptorSet};
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::harness::{self, reason};
use crate::web;

/// More entries than any list may have.
const TOO_MANY: usize = 1_001;
/// Lists that only answers fill, in resources that a request sends back. The server does not read them there.
const UNREAD: [&str; 2] = [
    "AccountService/UpdateAccount account.session.cookie_names",
    "TemplateService/UpdateTemplate template.variables",
];

/// A list in the request of a method.
struct List {
    /// `Service/Method`.
    method: String,
    /// The names and numbers of the fields that lead to the list.
    path: Vec<(String, u32)>,
    is_number: bool,
    comment: String,
}

impl List {
    fn name(&self) -> String {
        let names: Vec<_> = self.path.iter().map(|(name, _)| name.as_str()).collect();
        format!("{} {}", self.method, names.join("."))
    }

    /// Returns a frame with a request that holds only this list, with empty entries.
    fn request(&self) -> Vec<u8> {
        let mut fields = self.path.iter().rev().map(|(_, number)| *number);
        let number = fields.next().expect("a field");
        let wire_type = if self.is_number { 0 } else { 2 };
        let mut message = Vec::new();
        for _ in 0..TOO_MANY {
            varint(&mut message, number << 3 | wire_type);
            message.push(0);
        }
        for number in fields {
            let inner = std::mem::take(&mut message);
            varint(&mut message, number << 3 | 2);
            varint(&mut message, length(&inner));
            message.extend(inner);
        }
        let mut frame = vec![0];
        frame.extend_from_slice(&length(&message).to_be_bytes());
        frame.extend(message);
        frame
    }
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("small")
}

fn varint(bytes: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        bytes.push(u8::try_from(value & 0x7f).expect("seven bits") | 0x80);
        value >>= 7;
    }
    bytes.push(u8::try_from(value).expect("seven bits"));
}

struct Contract(FileDescriptorSet);

impl Contract {
    /// Returns the message with this full name, and the comments on its fields.
    fn message(&self, name: &str) -> (&DescriptorProto, Vec<String>) {
        for file in &self.0.file {
            let prefix = format!(".{}.", file.package());
            let Some(rest) = name.strip_prefix(&prefix) else {
                continue;
            };
            let mut parts = rest.split('.');
            let first = parts.next().expect("a name");
            let Some(at) = file.message_type.iter().position(|one| one.name() == first) else {
                continue;
            };
            // In a descriptor's path, field 4 of a file is its messages, field 3 of a message its nested messages, and
            // field 2 its fields.
            let (mut message, mut place) = (&file.message_type[at], vec![4, index(at)]);
            for part in parts {
                let at = message.nested_type.iter().position(|one| one.name() == part);
                let at = at.expect("a message inside");
                message = &message.nested_type[at];
                place.extend([3, index(at)]);
            }
            let locations = file.source_code_info.iter().flat_map(|info| &info.location);
            let comment = |at: usize| {
                let place = [&place[..], &[2, index(at)]].concat();
                let found = locations.clone().find(|location| location.path == place);
                found.map_or(String::new(), |location| location.leading_comments().to_owned())
            };
            return (message, (0..message.field.len()).map(comment).collect());
        }
        panic!("there is no {name}");
    }

    fn lists(&self, method: &str, message: &str, above: &[(String, u32)], found: &mut Vec<List>) {
        let (descriptor, comments) = self.message(message);
        for (field, comment) in descriptor.field.iter().zip(comments) {
            let number = u32::try_from(field.number()).expect("positive");
            let path = [above, &[(field.name().to_owned(), number)]].concat();
            if field.label() == Label::Repeated {
                found.push(List {
                    method: method.to_owned(),
                    path,
                    is_number: !matches!(field.r#type(), Type::String | Type::Bytes | Type::Message),
                    comment,
                });
            } else if field.type_name() == ".google.protobuf.FieldMask" {
                // Its only field is `paths`.
                found.push(List {
                    method: method.to_owned(),
                    path: [&path[..], &[("paths".to_owned(), 1)]].concat(),
                    is_number: false,
                    comment,
                });
            } else if field.r#type() == Type::Message {
                self.lists(method, field.type_name(), &path, found);
            }
        }
    }

    fn all(&self) -> Vec<List> {
        let mut found = Vec::new();
        for file in &self.0.file {
            for service in file.service.iter().filter(|_| file.package() == "vintedbot.v1") {
                for method in &service.method {
                    let name = format!("{}/{}", service.name(), method.name());
                    self.lists(&name, method.input_type(), &[], &mut found);
                }
            }
        }
        found
    }
}

fn index(at: usize) -> i32 {
    i32::try_from(at).expect("few")
}

/// Formats a number as the contract writes it.
fn written(number: &str) -> String {
    match number.split_at_checked(number.len().saturating_sub(3)) {
        Some((thousands, rest)) if !thousands.is_empty() => format!("{thousands},{rest}"),
        _ => number.to_owned(),
    }
}

#[tokio::test]
async fn list_with_too_many_entries_is_refused_before_decoding() {
    let descriptors = FileDescriptorSet::decode(vintedbot_proto::FILE_DESCRIPTOR_SET).expect("descriptors");
    let lists = Contract(descriptors).all();
    assert!(lists.len() > 30, "only {} lists were found", lists.len());
    for name in UNREAD {
        assert!(lists.iter().any(|list| list.name() == name), "there is no {name}");
    }
    let instance = harness::start().await;
    let mut wrong = Vec::new();
    for list in lists.iter().filter(|list| !UNREAD.contains(&&*list.name())) {
        let answer = web::send(&instance, &list.method, list.request(), &[]);
        let Ok((headers, _, _)) = tokio::time::timeout(Duration::from_secs(10), answer).await else {
            wrong.push(format!("{}: taken", list.name()));
            continue;
        };
        let status = web::status(&headers);
        if status.code() != Code::InvalidArgument {
            wrong.push(format!("{}: {status:?}", list.name()));
            continue;
        }
        let field = list.path.iter().rev().map(|(name, _)| name);
        let field = field.into_iter().find(|name| *name != "paths").expect("a name");
        let limit = if reason(&status) == "TOO_MANY_PHOTOS" {
            status
                .get_details_error_info()
                .and_then(|info| info.metadata.get("max_photos").cloned())
        } else {
            let violations = status
                .get_details_bad_request()
                .map(|details| details.field_violations);
            let found = violations.into_iter().flatten().find(|violation| {
                violation.field.rsplit('.').next() == Some(field) && violation.reason.ends_with("TOO_MANY")
            });
            found.and_then(|violation| {
                let rest = violation.description.split_once("at most ")?.1.to_owned();
                Some(rest.split(' ').next()?.to_owned())
            })
        };
        match limit {
            Some(limit) if list.comment.contains(&written(&limit)) => {}
            limit => wrong.push(format!(
                "{}: {limit:?}, {:?}; {:?}",
                list.name(),
                list.comment,
                status.message()
            )),
        }
    }
    instance.stop().await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
