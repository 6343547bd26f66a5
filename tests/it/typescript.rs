//! The TypeScript SDK in a real Chromium page against the built program.

use std::net::TcpListener;

use tokio::process::Command;

use crate::rig::{Home, root};

#[tokio::test]
async fn a_page_of_another_origin_calls_watches_and_uploads() {
    let origin = {
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        format!("http://{}", free.local_addr().expect("an address"))
    };
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
    let said = String::from_utf8_lossy(&tested.stdout) + String::from_utf8_lossy(&tested.stderr);
    assert!(tested.status.success(), "{said}\n{}", home.log());
    assert!(instance.stop().await.success());
}
