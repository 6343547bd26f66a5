//! Checks the authorization of every method in the committed descriptor set: its options, and that its comment names
//! the same scopes.

use protox::prost_reflect::{DescriptorPool, FileDescriptor, MethodDescriptor, Value};
use vintedbot_proto::FILE_DESCRIPTOR_SET;
use vintedbot_proto::v1::Role;

fn pool() -> DescriptorPool {
    DescriptorPool::decode(FILE_DESCRIPTOR_SET).expect("a descriptor set")
}

fn methods(pool: &DescriptorPool) -> Vec<MethodDescriptor> {
    let ours = pool
        .services()
        .filter(|service| service.package_name() == "vintedbot.v1");
    ours.flat_map(|service| service.methods().collect::<Vec<_>>())
        .collect()
}

fn scopes(method: &MethodDescriptor) -> Vec<String> {
    let option = method.parent_pool().get_extension_by_name("vintedbot.v1.scope");
    let options = method.options();
    let scopes = options.get_extension(&option.expect("the option exists"));
    let scopes = scopes.as_list().expect("is repeated").iter();
    scopes.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn role(method: &MethodDescriptor) -> Role {
    let option = method.parent_pool().get_extension_by_name("vintedbot.v1.role");
    let options = method.options();
    let role = options.get_extension(&option.expect("the option exists"));
    let role = role.as_enum_number().expect("is an enum");
    Role::try_from(role).expect("a role of the contract")
}

/// Returns the comment on the element with this path, in one line.
fn comment(file: &FileDescriptor, path: &[i32]) -> String {
    let info = file.file_descriptor_proto().source_code_info.as_ref();
    let locations = &info.expect("comments are kept").location;
    let location = locations.iter().find(|location| location.path == path);
    let comment = location.expect("every element has a comment").leading_comments();
    comment.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns the scopes that the comment on `ApiToken.scopes` lists.
fn known_scopes(pool: &DescriptorPool) -> Vec<String> {
    let token = pool.get_message_by_name("vintedbot.v1.ApiToken");
    let field = token.and_then(|token| token.get_field_by_name("scopes"));
    let field = field.expect("the field exists");
    let comment = comment(&field.parent_file(), field.path());
    comment.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_method_has_known_scopes_and_a_role() {
    let pool = pool();
    let known = known_scopes(&pool);
    assert!(known.iter().any(|scope| scope == "auth:manage"), "{known:?}");
    for method in methods(&pool) {
        let (name, scopes) = (method.full_name(), scopes(&method));
        assert!(!scopes.is_empty(), "{name} has no scope");
        let is_word = scopes.len() == 1 && ["any", "person", "public"].contains(&scopes[0].as_str());
        let are_known = scopes.iter().all(|scope| known.contains(scope));
        assert!(is_word || are_known, "{name} has an unknown scope: {scopes:?}");
        let (is_public, has_role) = (scopes == ["public"], role(&method) != Role::Unspecified);
        assert!(
            is_public != has_role,
            "{name} must either be public or have a role"
        );
    }
}

#[test]
fn comment_of_every_method_names_its_scopes() {
    let pool = pool();
    for method in methods(&pool) {
        let comment = comment(&method.parent_file(), method.path());
        let name = method.full_name();
        let end = match scopes(&method).as_slice() {
            [word] if word == "any" || word == "person" => {
                assert!(!comment.contains("Scope: "), "{name} needs no scope: {comment}");
                continue;
            }
            [word] if word == "public" => "Public.".to_owned(),
            [scope] => format!("Scope: {scope}."),
            scopes => format!("Scopes: {}.", scopes.join(" and ")),
        };
        assert!(comment.ends_with(&end), "{name} must end with {end:?}: {comment}");
    }
}
