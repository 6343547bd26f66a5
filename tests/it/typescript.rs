//! The TypeScript SDK in a real Chromium page against the built program.

use tokio::process::Command;

use crate::postgres::ports::Port;
use crate::rig::{Home, root};

#[tokio::test]
async fn page_of_another_origin_calls_watches_and_uploads() {
    let port = Port::take().expect("a free port");
    let origin = format!("http://{}", port.address());
    let home = Home::new();
    let instance = home.start(&[], &[("ALLOWED_ORIGINS", &origin)]).await;
    let browser = std::env::var("BROWSER_BINARY").unwrap_or_else(|_| "/usr/bin/chromium".to_owned());
    let tested = Command::new("npm")
        .args(["--prefix", "sdk/typescript", "run", "test:browser"])
        .current_dir(root())
        .env("VINTEDBOT_URL", instance.url())
        .env("VINTEDBOT_TOKEN_FILE", &instance.token_file)
        .env("PAGE_ORIGIN", &origin)
        .env("CHROMIUM", browser)
        .output()
        .await
        .expect("npm starts");
    let printed = String::from_utf8_lossy(&tested.stdout) + String::from_utf8_lossy(&tested.stderr);
    assert!(tested.status.success(), "{printed}\n{}", home.log());
    assert!(instance.stop().await.success());
}
