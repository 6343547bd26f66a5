//! Generates the pages of the reference: one for each service, one for shared types, and the index.
//!
//! A type is on the page of the service in its file. If its file has no service, the type is on the shared page.

pub mod markdown;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::error::Error;

use prost_types::method_options::IdempotencyLevel;
use protox::prost_reflect::{
    DescriptorPool, EnumDescriptor, FieldDescriptor, FileDescriptor, Kind, MessageDescriptor,
    MethodDescriptor, ServiceDescriptor,
};

use crate::contract;

/// The page with one line for each call. Only the part between two marks is generated.
pub const INDEX: &str = "README.md";

const PACKAGE: &str = "vintedbot.v1";
const SHARED: &str = "shared.md";
const MARK: (&str, &str) = ("<!-- generated -->\n", "<!-- /generated -->");
const NOTE: &str = "<!-- Generated from the proto files by proto/tests/reference.rs. Do not edit. -->\n\n";
const HELP: &str = "[API reference](README.md) lists all calls and explains the terms of this page.\n";
const CALLS: &str = "| call | scope | role | retry | description |\n| --- | --- | --- | --- | --- |\n";
const FIELDS: &str = "| field | JSON | type | description |\n| --- | --- | --- | --- |\n";
const EMPTY: &str = "No fields.\n";
const VALUES: &str = "| value | number | description |\n| --- | --- | --- |\n";

/// The contract, with its comments.
pub struct Reference {
    pool: DescriptorPool,
    /// The comments, by file and path of the element.
    comments: HashMap<(String, Vec<i32>), String>,
    /// The links to services, methods and types, by their names in comments.
    targets: HashMap<String, String>,
}

impl Reference {
    pub fn new(pool: DescriptorPool) -> Self {
        let mut reference = Self {
            pool,
            comments: HashMap::new(),
            targets: HashMap::new(),
        };
        reference.comments = reference.files().iter().flat_map(comments_of).collect();
        reference.targets = reference.find_targets();
        reference
    }

    /// Returns the services in the order of their files.
    pub fn services(&self) -> Vec<ServiceDescriptor> {
        let files = self.files();
        let services = files.iter().flat_map(|file| file.services().collect::<Vec<_>>());
        services.collect()
    }

    /// Returns the link for a name in a comment: that of a service, a method, a type, a field of a type, or a page.
    pub fn target(&self, name: &str) -> Option<String> {
        if let Some(page) = name.strip_prefix("docs/") {
            return Some(format!("../{page}"));
        }
        match self.targets.get(name) {
            Some(target) => Some(target.clone()),
            None => self.target(name.rsplit_once('.')?.0),
        }
    }

    /// Generates all pages, by the names of their files.
    pub fn pages(&self, index: &str) -> Result<BTreeMap<String, String>, Box<dyn Error>> {
        let (before, rest) = index.split_once(MARK.0).ok_or("the index has no mark")?;
        let (_, after) = rest.split_once(MARK.1).ok_or("the index has no second mark")?;
        let index = format!("{before}{}{}\n{}{after}", MARK.0, self.index(), MARK.1);
        let types = self.types(SHARED, &BTreeSet::new());
        let shared = format!("{NOTE}# Shared messages and enums\n\n{HELP}{types}");
        let mut pages = BTreeMap::from([(INDEX.to_owned(), index), (SHARED.to_owned(), shared)]);
        for service in self.services() {
            pages.insert(page_name(service.name()), self.service(&service));
        }
        for (name, page) in &mut pages {
            // A link within a page needs no file name.
            *page = page.replace(&format!("]({name}#"), "](#");
        }
        Ok(pages)
    }

    fn files(&self) -> Vec<FileDescriptor> {
        let files = self.pool.files().filter(|file| file.package_name() == PACKAGE);
        let mut files: Vec<_> = files.collect();
        files.sort_by(|one, other| one.name().cmp(other.name()));
        files
    }

    fn find_targets(&self) -> HashMap<String, String> {
        let mut targets = HashMap::new();
        let messages = self.pool.all_messages();
        let messages = messages.map(|message| (message.parent_file(), message.full_name().to_owned()));
        let enums = self.pool.all_enums();
        let enums = enums.map(|declared| (declared.parent_file(), declared.full_name().to_owned()));
        for (file, full_name) in messages.chain(enums) {
            let service = file.services().next();
            let page = service.map_or(SHARED.to_owned(), |service| page_name(service.name()));
            if let Some(name) = local(&full_name) {
                targets.insert(name.to_owned(), format!("{page}#{}", markdown::anchor(name)));
            }
        }
        for service in self.services() {
            let page = page_name(service.name());
            for method in service.methods() {
                let target = format!("{page}#{}", markdown::anchor(method.name()));
                targets.insert(format!("{}.{}", service.name(), method.name()), target.clone());
                targets.insert(method.name().to_owned(), target);
                for message in [method.input(), method.output()] {
                    let target = format!("{page}#{}", markdown::anchor(message.name()));
                    targets.insert(message.name().to_owned(), target);
                }
            }
            targets.insert(service.name().to_owned(), page);
        }
        targets
    }

    /// Returns a comment. The contract's lint requires one for every element, except for a file.
    fn comment(&self, file: &FileDescriptor, path: &[i32]) -> &str {
        let comment = self.comments.get(&(file.name().to_owned(), path.to_vec()));
        comment.map(String::as_str).unwrap_or_default()
    }

    fn prose(&self, file: &FileDescriptor, path: &[i32]) -> String {
        markdown::prose(self.comment(file, path), &|name| self.target(name))
    }

    fn cell(&self, file: &FileDescriptor, path: &[i32]) -> String {
        markdown::cell(self.comment(file, path), &|name| self.target(name))
    }

    fn summary(&self, file: &FileDescriptor, path: &[i32]) -> String {
        let sentence = markdown::first_sentence(self.comment(file, path));
        markdown::cell(&sentence, &|name| self.target(name))
    }

    /// Returns the generated part of the index.
    fn index(&self) -> String {
        let mut text = "\n## Conventions\n\n".to_owned();
        for file in self.files() {
            // The comment on the package applies to all services. One file has it.
            text += &self.prose(&file, &[2]);
        }
        text += "\n";
        for service in self.services() {
            let (file, name) = (service.parent_file(), service.name());
            let (summary, page) = (self.summary(&file, service.path()), page_name(name));
            text += &format!("\n## {name}\n\n{summary} [All fields]({page})\n\n{CALLS}");
            for method in service.methods() {
                let (name, summary) = (method.name(), self.summary(&file, method.path()));
                let link = format!("{page}#{}", markdown::anchor(name));
                let (scope, role, retry) = (scope(&method), role(&method), retry(&method));
                text += &format!("| [{name}]({link}) | {scope} | {role} | {retry} | {summary} |\n");
            }
        }
        text
    }

    /// Returns the page of a service.
    fn service(&self, service: &ServiceDescriptor) -> String {
        let comment = self.prose(&service.parent_file(), service.path());
        let mut page = format!("{NOTE}# {}\n\n{comment}\n\n{HELP}", service.name());
        let mut shown = BTreeSet::new();
        for method in service.methods() {
            page += &self.method(&method);
            for message in [method.input(), method.output()] {
                page += &self.message(&message);
                shown.insert(message.full_name().to_owned());
            }
        }
        let types = self.types(&page_name(service.name()), &shown);
        if !types.is_empty() {
            page += "\n## Types\n";
        }
        page + &types
    }

    fn method(&self, method: &MethodDescriptor) -> String {
        let comment = self.prose(&method.parent_file(), method.path());
        let (name, service) = (method.name(), method.parent_service().full_name());
        let mut text = format!("\n## {name}\n\n{comment}\n\n- Path: `/{service}/{name}`\n");
        let (scope, role, retry) = (scope(method), role(method), retry(method));
        text += &format!("- Scope: {scope}\n- Role: {role}\n- Retry: {retry}\n");
        if method.is_client_streaming() {
            text += "- Stream: the client sends messages. gRPC-web does not support this.\n";
        }
        if method.is_server_streaming() {
            text += "- Stream: the server sends messages.\n";
        }
        text
    }

    /// Returns the types of a page, except the messages that it has already shown.
    fn types(&self, page: &str, shown: &BTreeSet<String>) -> String {
        let is_here = |full_name: &str| {
            let target = local(full_name).and_then(|name| self.targets.get(name));
            target.is_some_and(|target| target.starts_with(page)) && !shown.contains(full_name)
        };
        let mut text = String::new();
        for file in self.files() {
            for message in file.messages().filter(|message| is_here(message.full_name())) {
                text += &self.message(&message);
            }
            for declared in file.enums().filter(|declared| is_here(declared.full_name())) {
                text += &self.enumeration(&declared);
            }
        }
        text
    }

    /// Returns a message and the types that are nested in it.
    fn message(&self, message: &MessageDescriptor) -> String {
        let file = message.parent_file();
        let comment = self.prose(&file, message.path());
        let mut text = format!("\n### {}\n\n{comment}\n\n", shown_name(message.full_name()));
        let is_empty = message.fields().len() == 0;
        text += if is_empty { EMPTY } else { FIELDS };
        for field in message.fields() {
            let oneof = field.containing_oneof().filter(|oneof| !oneof.is_synthetic());
            if let Some(oneof) = oneof.filter(|oneof| oneof.fields().next().as_ref() == Some(&field)) {
                let comment = self.cell(&file, oneof.path());
                text += &format!("| `{}` | | oneof | {comment} |\n", oneof.name());
            }
            let (name, json) = (field.name(), field.json_name());
            let (label, comment) = (self.field_type(&field), self.cell(&file, field.path()));
            text += &format!("| `{name}` | `{json}` | {label} | {comment} |\n");
        }
        for declared in message.child_enums() {
            text += &self.enumeration(&declared);
        }
        for nested in message.child_messages().filter(|nested| !nested.is_map_entry()) {
            text += &self.message(&nested);
        }
        text
    }

    fn enumeration(&self, declared: &EnumDescriptor) -> String {
        let file = declared.parent_file();
        let comment = self.prose(&file, declared.path());
        let mut text = format!(
            "\n### {}\n\n{comment}\n\n{VALUES}",
            shown_name(declared.full_name())
        );
        for value in declared.values() {
            let comment = self.cell(&file, value.path());
            text += &format!("| `{}` | {} | {comment} |\n", value.name(), value.number());
        }
        text
    }

    fn field_type(&self, field: &FieldDescriptor) -> String {
        let kind = field.kind();
        if let Some(entry) = kind.as_message().filter(|_| field.is_map()) {
            let (key, value) = (entry.map_entry_key_field(), entry.map_entry_value_field());
            let (key, value) = (self.type_name(&key.kind()), self.type_name(&value.kind()));
            return format!("map of {key} to {value}");
        }
        let name = self.type_name(&kind);
        match field.containing_oneof() {
            Some(oneof) if oneof.is_synthetic() => format!("optional {name}"),
            Some(oneof) => format!("{name}, in `{}`", oneof.name()),
            None if field.is_list() => format!("repeated {name}"),
            None => name,
        }
    }

    fn type_name(&self, kind: &Kind) -> String {
        let full_name = match kind {
            Kind::Message(message) => message.full_name(),
            Kind::Enum(declared) => declared.full_name(),
            scalar => return format!("{scalar:?}"),
        };
        let name = shown_name(full_name);
        match self.targets.get(name) {
            Some(target) => format!("[{name}]({target})"),
            None => format!("[{name}]({INDEX}#values)"),
        }
    }
}

fn comments_of(file: &FileDescriptor) -> Vec<((String, Vec<i32>), String)> {
    let info = file.file_descriptor_proto().source_code_info.as_ref();
    let locations = info.into_iter().flat_map(|info| &info.location);
    let comments = locations.filter_map(|location| {
        let key = (file.name().to_owned(), location.path.clone());
        Some((key, location.leading_comments.clone()?))
    });
    comments.collect()
}

/// Returns the name of a type without the package of the contract.
fn local(full_name: &str) -> Option<&str> {
    full_name.strip_prefix(PACKAGE)?.strip_prefix('.')
}

/// Returns the name of a type as pages show it: `Thread.Draft`, or `Timestamp` for a type of protobuf.
fn shown_name(full_name: &str) -> &str {
    let protobuf = || full_name.rsplit('.').next();
    local(full_name).or_else(protobuf).unwrap_or(full_name)
}

/// Returns `inbox-service.md` for `InboxService`.
fn page_name(service: &str) -> String {
    let mut name = String::new();
    for char in service.chars() {
        if char.is_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.extend(char.to_lowercase());
    }
    name + ".md"
}

fn scope(method: &MethodDescriptor) -> String {
    let scopes = contract::scopes(method).into_iter();
    let scopes: Vec<_> = scopes.map(|scope| format!("`{scope}`")).collect();
    scopes.join(", ")
}

fn role(method: &MethodDescriptor) -> String {
    match contract::role(method).as_str() {
        "ROLE_UNSPECIFIED" => "none".to_owned(),
        role => role.trim_start_matches("ROLE_").to_owned(),
    }
}

fn retry(method: &MethodDescriptor) -> &'static str {
    let options = method.method_descriptor_proto().options.as_ref();
    let level = options.map(|options| options.idempotency_level());
    if level == Some(IdempotencyLevel::NoSideEffects) {
        return "safe";
    }
    let has_key = |message: &MessageDescriptor| message.get_field_by_name("request_id").is_some();
    let request = method.input();
    // The parts of a stream are messages in the request.
    let is_in_part = |field: FieldDescriptor| field.kind().as_message().is_some_and(has_key);
    if has_key(&request) || request.fields().any(is_in_part) {
        "`request_id`"
    } else {
        "no key"
    }
}
