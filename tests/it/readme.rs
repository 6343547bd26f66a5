//! Runs the commands of the documentation, and checks the parts of it that are derived from code.
//!
//! The code blocks of [`SCRIPT_PAGES`] that begin with ```` ```sh run ```` form one script, which runs against a real
//! instance. `UPDATE=1` writes the Rust example and the challenge table into their pages.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::process::Output;

use tokio::process::Command;
use vintedbot_proto::authorization::METHODS;

use crate::rig::{Home, root, run_blocks, search_path, text};

/// The pages whose blocks form the script, in order. A block uses variables that earlier blocks define.
const SCRIPT_PAGES: [&str; 4] = [
    "README.md",
    "docs/your-account.md",
    "docs/grpcurl.md",
    "docs/people.md",
];
const EXAMPLE: (&str, &str) = ("```rust\n", "```");
const CHALLENGES: (&str, &str) = ("<!-- challenges -->\n", "<!-- /challenges -->");

/// Returns the names of all methods of the contract, such as `AuthService/GetMe`.
fn methods() -> Vec<&'static str> {
    let paths = METHODS.iter().map(|method| method.path);
    paths
        .filter_map(|path| path.strip_prefix("/vintedbot.v1."))
        .collect()
}

/// Asserts that a page has the expected text. With `UPDATE=1` in the environment, writes that text first.
fn assert_page(name: &str, expected: &str) {
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        fs::write(root().join(name), expected).expect("written");
    }
    assert!(text(name) == expected, "{name}: run this test once with UPDATE=1");
}

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[tokio::test]
async fn documented_commands_publish_and_call_every_method() {
    let blocks: Vec<_> = SCRIPT_PAGES.into_iter().flat_map(run_blocks).collect();
    assert!(blocks.len() > 10, "{} blocks", blocks.len());
    let script = format!("set -eu\n{}", blocks.join("\n"));
    let called: HashSet<&str> = script
        .split(|sign: char| !sign.is_alphanumeric() && sign != '/')
        .collect();
    let mut missing = methods();
    assert!(missing.len() > 100, "{missing:?}");
    missing.retain(|method| !called.contains(method));
    assert!(missing.is_empty(), "no sample call of {missing:?}");

    let home = Home::new();
    let instance = home
        .start(
            &["--seed"],
            &[
                ("PUBLISH_PER_MINUTE", "60"),
                ("WEBHOOK_ALLOWED_NETWORKS", "127.0.0.0/8"),
                ("PEOPLE_REGISTRATION", "open"),
                // Shortens the wait for the reply in doubt.
                ("EFFECTS_CLICK_WINDOW", "5s"),
                ("EFFECTS_REQUEST_TIMEOUT", "10s"),
                ("EFFECTS_SETTLE", "2s"),
                ("EFFECTS_SETTLE_POLL", "1s"),
            ],
        )
        .await;
    let before = instance.records("item_published").await.len();
    let mut shell = Command::new("bash");
    let run = shell
        .args(["-c", &script])
        .current_dir(home.path())
        .env("ADDRESS", &instance.address)
        .env("SERVER_LOG", "stdout.log")
        .env("PRACTICE", &instance.practice_url)
        .env("EXAMPLES", root().join("examples"))
        .env("PATH", search_path())
        .kill_on_drop(true)
        .output();
    let run = tokio::time::timeout(crate::rig::PATIENCE * 2, run)
        .await
        .expect("the commands end");
    let run = run.expect("bash starts");
    assert!(run.status.success(), "{}", printed(&run));
    let published = instance.records("item_published").await;
    assert_eq!(published.len(), before + 2, "{}", printed(&run));
    assert_eq!(published[before]["title"], "Sweat gris chiné");
    let refusal = fs::read_to_string(home.path().join("error.txt")).expect("error.txt");
    assert!(refusal.contains("Unimplemented"), "{refusal}");

    // The example uploads `front.jpg` from its working directory, where the commands left one.
    let built = Path::new(env!("CARGO_BIN_EXE_vintedbot")).with_file_name("examples");
    let run = Command::new(built.join("first_listing"))
        .current_dir(home.path())
        .env("ADDRESS", &instance.address)
        .output()
        .await
        .expect("the example is built with the tests");
    assert!(run.status.success(), "{}", printed(&run));
    assert_eq!(
        instance.records("item_published").await.len(),
        before + 3,
        "{}",
        printed(&run)
    );
    assert!(instance.stop().await.success());
}

#[test]
fn rust_sdk_page_shows_the_example_that_is_built() {
    let example = text("examples/first_listing.rs");
    let (_, code) = example.split_once("\n\n").expect("a module doc");
    let name = "docs/rust-sdk.md";
    assert_page(name, &replaced(&text(name), EXAMPLE, code));
}

#[test]
fn safety_page_lists_what_follows_each_challenge() {
    let table = vintedbot_marketplace::challenge::Kind::table();
    let name = "docs/safety.md";
    assert_page(name, &replaced(&text(name), CHALLENGES, &table));
}

/// The text with the part between the first opening and its closing replaced.
fn replaced(text: &str, (opening, closing): (&str, &str), between: &str) -> String {
    let (before, rest) = text.split_once(opening).expect("an opening");
    let (_, after) = rest.split_once(closing).expect("a closing");
    format!("{before}{opening}{between}{closing}{after}")
}
