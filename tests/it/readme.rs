//! The README keeps its word: its commands are run, its example is built and run, its settings are all of them.
//!
//! Blocks that begin with ```` ```sh run ```` are run in their order as one script. `UPDATE=1` writes the table of settings
//! and the Rust example into it anew.

use std::fs;
use std::path::Path;
use std::process::Output;

use tokio::process::Command;

use crate::rig::{Home, root, search_path};

const SETTINGS: (&str, &str) = ("<!-- settings -->\n", "<!-- /settings -->");
const EXAMPLE: (&str, &str) = ("```rust\n", "```");

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).expect("README.md")
}

/// The contents of code blocks that begin with this line.
fn blocks(opening: &str) -> Vec<String> {
    let text = readme();
    let opening = format!("{opening}\n");
    let after = text.split(&opening).skip(1);
    after
        .map(|rest| rest.split("```").next().unwrap_or_default().to_owned())
        .collect()
}

fn updating() -> bool {
    std::env::var_os("UPDATE").is_some_and(|value| value == "1")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[tokio::test]
async fn its_commands_publish_a_listing_and_reach_every_service() {
    let blocks = blocks("```sh run");
    assert!(blocks.len() > 10, "{} blocks", blocks.len());
    let services = [
        "Auth",
        "Account",
        "Catalog",
        "Media",
        "Listing",
        "Publish",
        "Wardrobe",
        "Event",
        "Inbox",
        "Template",
        "Webhook",
        "MarketplaceSearch",
    ];
    for service in services.map(|name| format!("{name}Service/")) {
        assert!(
            blocks.iter().any(|block| block.contains(&service)),
            "no sample call for {service}"
        );
    }

    let home = Home::new();
    let instance = home
        .start(
            &["--seed"],
            &[
                ("PUBLISH_PER_MINUTE", "60"),
                ("WEBHOOK_ALLOWED_NETWORKS", "127.0.0.0/8"),
            ],
        )
        .await;
    let before = instance.records("item_published").await.len();
    let script = format!("set -eu\n{}", blocks.join("\n"));
    let mut shell = Command::new("bash");
    let run = shell
        .args(["-c", &script])
        .current_dir(home.path())
        .env("ADDRESS", &instance.address)
        .env("PRACTICE", &instance.practice_url)
        .env("EXAMPLES", root().join("examples"))
        .env("PATH", search_path())
        .kill_on_drop(true)
        .output();
    let run = tokio::time::timeout(crate::rig::PATIENCE * 2, run)
        .await
        .expect("the commands end");
    let run = run.expect("bash starts");
    assert!(run.status.success(), "{}", said(&run));
    let published = instance.records("item_published").await;
    assert_eq!(published.len(), before + 2, "{}", said(&run));
    assert_eq!(published[before]["title"], "Sweat gris chiné");
    let refusal = fs::read_to_string(home.path().join("error.txt")).expect("error.txt");
    assert!(refusal.contains("Unimplemented"), "{refusal}");

    // The example wants a photo beside it, as the commands left one.
    let built = Path::new(env!("CARGO_BIN_EXE_vintedbot")).with_file_name("examples");
    let run = Command::new(built.join("first_listing"))
        .current_dir(home.path())
        .env("ADDRESS", &instance.address)
        .output()
        .await
        .expect("the example is built with the tests");
    assert!(run.status.success(), "{}", said(&run));
    assert_eq!(
        instance.records("item_published").await.len(),
        before + 3,
        "{}",
        said(&run)
    );
    assert!(instance.stop().await.success());
}

#[test]
fn its_table_has_every_setting_and_its_example_is_the_one_that_is_built() {
    let example = fs::read_to_string(root().join("examples/first_listing.rs")).expect("the example");
    let (_, code) = example.split_once("\n\n").expect("a module doc");
    let expected = replaced(&readme(), EXAMPLE, code);
    let expected = replaced(&expected, SETTINGS, &settings_table());
    if updating() {
        fs::write(root().join("README.md"), &expected).expect("written");
    }
    assert!(readme() == expected, "run this test once with UPDATE=1");
}

#[test]
fn the_safety_notes_print_what_follows_from_each_challenge() {
    let path = root().join("docs/safety.md");
    let read = || fs::read_to_string(&path).expect("the safety notes");
    let table = vintedbot_marketplace::challenge::Kind::table();
    let expected = replaced(&read(), ("<!-- challenges -->\n", "<!-- /challenges -->"), &table);
    if updating() {
        fs::write(&path, &expected).expect("written");
    }
    assert!(read() == expected, "run this test once with UPDATE=1");
}

/// The text with something else between the first such opening and the closing after it.
fn replaced(text: &str, (opening, closing): (&str, &str), between: &str) -> String {
    let (before, rest) = text.split_once(opening).expect("an opening");
    let (_, after) = rest.split_once(closing).expect("a closing");
    format!("{before}{opening}{between}{closing}{after}")
}

/// `config.default.toml` as a table. A comment stands with the first of the settings that it explains.
fn settings_table() -> String {
    let text = fs::read_to_string(root().join("config.default.toml")).expect("config.default.toml");
    let mut table = "| variable | default | what it is |\n| --- | --- | --- |\n".to_owned();
    let mut comment = Vec::new();
    for line in text.lines() {
        if let Some(words) = line.strip_prefix('#') {
            // Lists are indented.
            let bullet = if words.starts_with("   ") { "· " } else { "" };
            let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
            comment.push(format!("{bullet}{}", words.replace('|', "\\|")));
        } else if let Some((name, value)) = line.split_once(" = ") {
            let value = if value == "\"\"" {
                String::new()
            } else {
                format!("`{}`", value.trim_matches('"'))
            };
            table += &format!(
                "| `{}` | {value} | {} |\n",
                name.to_uppercase(),
                comment.join(" ")
            );
            comment.clear();
        } else {
            comment.clear();
        }
    }
    table
}

#[test]
fn the_table_is_of_settings_that_exist() {
    let text = fs::read_to_string(root().join("config.default.toml")).expect("config.default.toml");
    let settings: toml::Table = text.parse().expect("TOML");
    let table = settings_table();
    assert_eq!(table.lines().count() - 2, settings.len());
    let example = fs::read_to_string(root().join(".env.example")).expect(".env.example");
    for line in example.lines().map(|line| line.trim_start_matches("# ")) {
        if let Some((name, _)) = line.split_once('=') {
            assert!(
                settings.contains_key(&name.to_lowercase()),
                ".env.example names {name}"
            );
        }
    }
}
