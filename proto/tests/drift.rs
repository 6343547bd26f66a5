//! Generates the code again and compares it with the committed files. With `UPDATE=1` in the environment, as in
//! `make generate`, it writes them instead. Needs no protoc.

use std::error::Error;
use std::fs;
use std::path::Path;

use prost::Message;
use prost_types::FileDescriptorSet;

const FILES: [&str; 2] = ["vintedbot.v1.rs", "vintedbot.v1.binpb"];

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

    let mut compiler = protox::Compiler::new([root])?;
    compiler
        .include_source_info(true)
        .include_imports(true)
        .open_files(&protos)?;
    let mut descriptors = compiler.file_descriptor_set();
    tonic_prost_build::configure()
        .out_dir(folder)
        .emit_rerun_if_changed(false)
        .bytes(".vintedbot.v1")
        .codec_path("crate::codec::Codec")
        .compile_fds(descriptors.clone())?;

    keep_comments_only(&mut descriptors);
    fs::write(folder.join("vintedbot.v1.binpb"), descriptors.encode_to_vec())?;
    Ok(())
}

/// Drops source positions, of which no reader of reflection has any use and which are most of the bytes.
fn keep_comments_only(descriptors: &mut FileDescriptorSet) {
    for file in &mut descriptors.file {
        if let Some(info) = &mut file.source_code_info {
            info.location
                .retain(|location| location.leading_comments.is_some());
        }
    }
}
