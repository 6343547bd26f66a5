//! Generates the code again and compares it with the committed files. With `UPDATE=1` in the environment, as in
//! `make generate`, it writes them instead. Needs no protoc.

use std::error::Error;
use std::fs;
use std::path::Path;

use prost::Message as _;
use protox::Compiler;
use protox::prost_reflect::{DescriptorPool, DynamicMessage, Value};

const FILES: [&str; 3] = ["vintedbot.v1.rs", "vintedbot.v1.binpb", "authorization.rs"];

#[test]
fn generated_code_matches_the_proto_files() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let fresh = tempfile::tempdir()?;
    generate(root, fresh.path())?;
    let update = std::env::var_os("UPDATE").is_some_and(|value| value == "1");
    for name in FILES {
        let committed = root.join("src/gen").join(name);
        let new = fs::read(fresh.path().join(name))?;
        if update {
            fs::write(&committed, &new)?;
        }
        assert!(
            fs::read(&committed)? == new,
            "{} has drifted from the .proto files: run `make generate`",
            committed.display()
        );
    }
    Ok(())
}

/// Writes [`FILES`] into `folder`.
fn generate(root: &Path, folder: &Path) -> Result<(), Box<dyn Error>> {
    let mut protos: Vec<_> = fs::read_dir(root.join("vintedbot/v1"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    protos.sort();

    let mut compiler = Compiler::new([root])?;
    compiler
        .include_source_info(true)
        .include_imports(true)
        .open_files(&protos)?;
    tonic_prost_build::configure()
        .out_dir(folder)
        .emit_rerun_if_changed(false)
        .bytes(".vintedbot.v1")
        .codec_path("crate::codec::Codec")
        .compile_fds(compiler.file_descriptor_set())?;

    let pool = compiler.descriptor_pool();
    fs::write(folder.join("vintedbot.v1.binpb"), descriptor_set(&pool)?)?;
    fs::write(folder.join("authorization.rs"), authorization(&pool)?)?;
    Ok(())
}

/// Returns all files as an encoded `google.protobuf.FileDescriptorSet`. The messages of `prost_types` would lose the
/// options that `authorization.proto` declares.
fn descriptor_set(pool: &DescriptorPool) -> Result<Vec<u8>, Box<dyn Error>> {
    let set = pool.get_message_by_name("google.protobuf.FileDescriptorSet");
    let set = set.ok_or("no file imports google/protobuf/descriptor.proto")?;
    let mut set = DynamicMessage::decode(set, pool.encode_to_vec().as_slice())?;
    let files = set.get_field_by_name_mut("file").and_then(Value::as_list_mut);
    for file in files.into_iter().flatten().filter_map(Value::as_message_mut) {
        keep_comments_only(file);
    }
    Ok(set.encode_to_vec())
}

/// Drops source positions, of which no reader of reflection has any use and which are most of the bytes.
fn keep_comments_only(file: &mut DynamicMessage) {
    // A file without source information must not get an empty one.
    if !file.has_field_by_name("source_code_info") {
        return;
    }
    let info = file.get_field_by_name_mut("source_code_info");
    let info = info.and_then(Value::as_message_mut);
    let locations = info.and_then(|info| info.get_field_by_name_mut("location"));
    if let Some(locations) = locations.and_then(Value::as_list_mut) {
        locations.retain(|location| {
            let location = location.as_message();
            location.is_some_and(|location| location.has_field_by_name("leading_comments"))
        });
    }
}

/// Returns the table that `src/authorization.rs` includes: the options `scope` and `role` of every method.
fn authorization(pool: &DescriptorPool) -> Result<String, Box<dyn Error>> {
    let option = |name| {
        let option = pool.get_extension_by_name(name);
        option.ok_or_else(|| format!("there is no option {name}"))
    };
    let (scope, role) = (option("vintedbot.v1.scope")?, option("vintedbot.v1.role")?);
    let roles = pool
        .get_enum_by_name("vintedbot.v1.Role")
        .ok_or("there is no Role")?;

    let mut rows = Vec::new();
    for service in pool
        .services()
        .filter(|service| service.package_name() == "vintedbot.v1")
    {
        for method in service.methods() {
            let options = method.options();
            let scopes = options.get_extension(&scope);
            let scopes: Vec<_> = scopes
                .as_list()
                .unwrap_or_default()
                .iter()
                .filter_map(Value::as_str)
                .collect();
            let number = options.get_extension(&role).as_enum_number().unwrap_or_default();
            let role = roles.get_value(number).ok_or("there is no such role")?;
            rows.push(format!(
                "    Method {{ path: \"/{}/{}\", scopes: &{scopes:?}, role: Role::{} }},\n",
                service.full_name(),
                method.name(),
                variant(role.name()),
            ));
        }
    }
    rows.sort();
    let head = "// This file is @generated by tests/drift.rs from the method options `scope` and `role`.";
    Ok(format!("{head}\n&[\n{}]\n", rows.concat()))
}

/// Returns the generated name of a role: `Owner` for `ROLE_OWNER`.
fn variant(name: &str) -> String {
    let words = name.trim_start_matches("ROLE_").split('_');
    words
        .map(|word| word[..1].to_owned() + &word[1..].to_lowercase())
        .collect()
}
