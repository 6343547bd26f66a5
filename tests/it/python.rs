//! The Python page: its commands generate the code and run the example against a real instance.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Output, Stdio};
use std::time::Duration;

use futures::TryStreamExt as _;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use vintedbot_sdk::Client;
use vintedbot_sdk::v1::{CreateAccountRequest, ListThreadsRequest, Thread};

use crate::postgres::ports::Port;
use crate::rig::{Home, Instance, PATIENCE, root, run_blocks, search_path, text};

/// More threads than the server returns in one page.
const THREADS: usize = 52;

/// Returns a shell that runs a block of the page. The home stands for the root of the repository.
fn shell(home: &Home, block: &str) -> Command {
    let mut shell = Command::new("bash");
    shell
        .args(["-euc", block])
        .current_dir(home.path())
        .env("PATH", search_path())
        .kill_on_drop(true);
    shell
}

async fn ended(mut command: Command) -> Output {
    let output = tokio::time::timeout(PATIENCE, command.output()).await;
    output.expect("it ends in time").expect("bash starts")
}

/// The running example. Dropping it ends the process.
struct Example {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Example {
    fn start(home: &Home, block: &str, instance: &Instance, account_id: &str) -> Self {
        let mut process = shell(home, block)
            .env("ADDRESS", &instance.address)
            .env("ACCOUNT", account_id)
            .stdout(Stdio::piped())
            .spawn()
            .expect("bash starts");
        let output = process.stdout.take().expect("it is piped");
        Self {
            process,
            lines: BufReader::new(output).lines(),
        }
    }

    /// Waits for the next line. Returns an empty text at the end.
    async fn line(&mut self) -> String {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await;
        line.expect("a line comes in time")
            .expect("text")
            .unwrap_or_default()
    }
}

/// Sends a request to the practice site's admin API.
async fn post(instance: &Instance, path: &str, body: &Value) -> Value {
    let url = format!("{}/_practice/{path}", instance.practice_url);
    #[expect(clippy::disallowed_methods, reason = "it reaches this machine only")]
    let client = reqwest::Client::new();
    let answer = client.post(&url).json(body).send().await.expect("an answer");
    assert!(answer.status().is_success(), "{url}: {}", answer.status());
    answer.json().await.expect("JSON")
}

/// Creates an account on the practice site. Returns its id and the id of its member.
async fn connected(client: &Client) -> (String, u64) {
    let request = CreateAccountRequest {
        display_name: "My wardrobe".into(),
        market: "fr".into(),
        ..Default::default()
    };
    let account = client.accounts().create(request).await.expect("is created");
    let member = async {
        loop {
            let account = client.accounts().get(&account.id).await.expect("it is there");
            if let Ok(member_id) = account.member_id.parse::<u64>() {
                return member_id;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let member_id = tokio::time::timeout(PATIENCE, member).await;
    (account.id, member_id.expect("it is connected in time"))
}

#[tokio::test]
async fn python_example_lists_threads_and_resumes_after_restart() {
    let home = Home::new();
    for folder in ["proto", "examples"] {
        symlink(root().join(folder), home.path().join(folder)).expect("is linked");
    }
    // The first block generates the code, the second runs the example.
    let blocks: [String; 2] = run_blocks("docs/python.md").try_into().expect("two blocks");
    let [generate, run] = blocks;
    let generated = ended(shell(&home, &generate)).await;
    assert!(
        generated.status.success(),
        "{}",
        String::from_utf8_lossy(&generated.stderr)
    );

    // The restarted instance listens on the same address.
    let port = Port::take().expect("a free port");
    let address = port.address().to_string();
    let settings = [("LISTEN", address.as_str())];
    let instance = home.start(&[], &settings).await;
    let client = instance.client().await;
    let (account_id, member_id) = connected(&client).await;
    let many = json!({"member_id": member_id, "count": THREADS, "messages": 1});
    post(&instance, "conversations/many", &many).await;
    client.inbox().sync_now(&account_id).await.expect("is read");
    let threads = client.inbox().list(ListThreadsRequest::default());
    let threads: Vec<Thread> = threads.try_collect().await.expect("threads");
    assert_eq!(threads.len(), THREADS);
    client
        .inbox()
        .mark_read([&threads[0].id])
        .await
        .expect("is marked");

    fs::write(home.path().join("wrong-token"), "wrong").expect("is written");
    let mut refused = shell(&home, &run);
    refused
        .env("ADDRESS", &instance.address)
        .env("ACCOUNT", &account_id)
        .env("TOKEN_FILE", "wrong-token");
    let refused = ended(refused).await;
    let error = String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success() && error.starts_with("ERROR_REASON_TOKEN_INVALID: "),
        "{error}"
    );

    let mut example = Example::start(&home, &run, &instance, &account_id);
    for thread in &threads[1..] {
        let login = &thread.person.as_ref().expect("a person").login;
        let expected = format!("unread: {login}: '{}'", thread.snippet);
        assert_eq!(example.line().await, expected);
    }
    let question = json!({"member_id": member_id, "buyer": "zoe", "text": "Bonjour, est-ce disponible ?"});
    let conversation = post(&instance, "conversations", &question).await;
    client.inbox().sync_now(&account_id).await.expect("is read");
    assert_eq!(
        example.line().await,
        "received: zoe: 'Bonjour, est-ce disponible ?'"
    );

    assert!(instance.stop().await.success());
    let instance = home.start(&[], &settings).await;
    let write = json!({"do": "write", "text": "Je peux venir ce soir"});
    let path = format!("conversations/{}", conversation["id"]);
    post(&instance, &path, &write).await;
    let inbox = instance.client().await.inbox();
    inbox.sync_now(&account_id).await.expect("is read");
    assert_eq!(example.line().await, "received: zoe: 'Je peux venir ce soir'");
    assert_eq!(example.line().await, "", "it ends after two messages");
    let status = tokio::time::timeout(PATIENCE, example.process.wait()).await;
    assert!(status.expect("it ends in time").expect("it is ours").success());
    assert!(instance.stop().await.success());
}

#[test]
fn python_page_names_the_packages_of_the_makefile() {
    let (page, makefile) = (text("docs/python.md"), text("Makefile"));
    let packages = makefile.split_whitespace();
    let packages: Vec<_> = packages.filter(|word| word.starts_with("grpcio")).collect();
    assert_eq!(packages.len(), 3, "{packages:?}");
    let install = format!("pip install {}\n", packages.join(" "));
    assert!(page.contains(&install), "docs/python.md lacks: {install}");
}
