//! Shared by the tests that generate files from the contract.

use std::error::Error;
use std::fs;
use std::path::Path;

use protox::Compiler;
use protox::prost_reflect::{MethodDescriptor, Value};

/// Compiles the proto files of the crate with this root. Keeps their comments.
pub fn compile(root: &Path) -> Result<Compiler, Box<dyn Error>> {
    let mut protos: Vec<_> = fs::read_dir(root.join("vintedbot/v1"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    protos.sort();

    let mut compiler = Compiler::new([root])?;
    compiler
        .include_source_info(true)
        .include_imports(true)
        .open_files(&protos)?;
    Ok(compiler)
}

/// Returns whether the tests write the committed files before they compare them.
pub fn is_update() -> bool {
    std::env::var_os("UPDATE").is_some_and(|value| value == "1")
}

/// Returns the option `scope` of a method.
pub fn scopes(method: &MethodDescriptor) -> Vec<String> {
    let scopes = option(method, "vintedbot.v1.scope");
    let scopes = scopes.as_list().unwrap_or_default().iter();
    scopes.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Returns the option `role` of a method, such as `ROLE_OWNER`.
pub fn role(method: &MethodDescriptor) -> String {
    let number = option(method, "vintedbot.v1.role").as_enum_number();
    let roles = method.parent_pool().get_enum_by_name("vintedbot.v1.Role");
    let role = roles.and_then(|roles| roles.get_value(number?));
    role.expect("the option has a value of this enum")
        .name()
        .to_owned()
}

fn option(method: &MethodDescriptor, name: &str) -> Value {
    let option = method.parent_pool().get_extension_by_name(name);
    let option = option.expect("authorization.proto declares the option");
    method.options().get_extension(&option).into_owned()
}
