//! The TypeScript SDK in real Chromium pages, against the built program.

use tokio::process::Command;

use crate::rig::root;

#[tokio::test]
async fn page_of_another_origin_calls_watches_and_uploads() {
    let tested = Command::new("npm")
        .args(["--prefix", "sdk/typescript", "run", "test:browser"])
        .current_dir(root())
        .env("VINTEDBOT_BINARY", env!("CARGO_BIN_EXE_vintedbot"))
        .kill_on_drop(true)
        .output()
        .await
        .expect("npm starts");
    let printed = String::from_utf8_lossy(&tested.stdout) + String::from_utf8_lossy(&tested.stderr);
    assert!(tested.status.success(), "{printed}");
}
