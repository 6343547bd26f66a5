//! A real instance: the built program in its own folder, on free ports.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use vintedbot_sdk::Client;

/// The longest that any step here may take. It is far longer than needed, because a machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// A folder for instances. Dropping it removes the folder.
pub struct Home {
    folder: TempDir,
}

/// A running instance. Dropping it kills the process.
pub struct Instance {
    process: Child,
    /// The address on which it listens, such as `127.0.0.1:41234`.
    pub address: String,
    pub practice_url: String,
    /// What it logged about its browser.
    pub browser: String,
    pub token_file: PathBuf,
    output: JoinHandle<()>,
}

impl Home {
    pub fn new() -> Self {
        Self {
            folder: TempDir::new().expect("a temporary folder"),
        }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    /// Returns everything that the instances in this folder printed and logged.
    pub fn log(&self) -> String {
        let read = |name: &str| fs::read_to_string(self.path().join(name)).unwrap_or_default();
        read("stdout.log") + &read("stderr.log")
    }

    /// Returns the program with settings for tests. The given settings take precedence.
    pub fn command(&self, arguments: &[&str], settings: &[(&str, &str)]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vintedbot"));
        command
            .args(arguments)
            .current_dir(self.path())
            .kill_on_drop(true);
        let usual = [
            ("LISTEN", "127.0.0.1:0"),
            ("PRACTICE_LISTEN", "127.0.0.1:0"),
            ("PRACTICE_BUYERS_INTERVAL", "0s"),
            ("DATA_DIR", "data"),
            ("BROWSER", "off"),
            ("BROWSER_PACING", "0ms"),
        ];
        command.envs(usual).envs(settings.iter().copied());
        command
    }

    /// Starts an instance and waits until it listens.
    pub async fn start(&self, arguments: &[&str], settings: &[(&str, &str)]) -> Instance {
        let mut arguments = arguments.to_vec();
        arguments.insert(0, "serve");
        let open = |name: &str| {
            let file = fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(self.path().join(name));
            file.expect("a log file")
        };
        let mut command = self.command(&arguments, settings);
        let mut process = command
            .stdout(Stdio::piped())
            .stderr(open("stderr.log"))
            .spawn()
            .expect("the program starts");
        let mut lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let mut copy = open("stdout.log");
        let started = async {
            let (mut address, mut practice_url, mut browser) = (String::new(), String::new(), String::new());
            while let Some(line) = lines.next_line().await.expect("text") {
                writeln_to(&mut copy, &line);
                if let Some((_, rest)) = line.split_once("listens on http://") {
                    address = rest.to_owned();
                } else if let Some(url) = line.strip_prefix("practice site: ") {
                    practice_url = url.to_owned();
                } else if let Some(text) = line.strip_prefix("browser worker: ") {
                    browser = text.to_owned();
                } else if line.starts_with("try: ") {
                    return Some((address, practice_url, browser));
                }
            }
            None
        };
        let started = tokio::time::timeout(PATIENCE, started)
            .await
            .expect("it starts in time");
        let (address, practice_url, browser) =
            started.unwrap_or_else(|| panic!("it ended at once: {}", self.log()));
        let output = tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                writeln_to(&mut copy, &line);
            }
        });
        Instance {
            process,
            address,
            practice_url,
            browser,
            token_file: self.data().join("api-token"),
            output,
        }
    }
}

fn writeln_to(file: &mut fs::File, line: &str) {
    use std::io::Write as _;
    writeln!(file, "{line}").expect("the log can be written");
}

impl Instance {
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub async fn client(&self) -> Client {
        let client = Client::builder(self.url())
            .token_file(&self.token_file)
            .build()
            .await;
        client.expect("a client")
    }

    /// Returns the practice site's records of this kind.
    pub async fn records(&self, kind: &str) -> Vec<Value> {
        let url = format!("{}/_practice/records", self.practice_url);
        let text = get(&url).await;
        let records: Vec<Value> = serde_json::from_str(&text).expect("JSON");
        records
            .into_iter()
            .filter(|record| record["kind"] == kind)
            .collect()
    }

    /// Asks the instance to stop, as Ctrl-C does, and waits for its end.
    pub async fn stop(mut self) -> ExitStatus {
        let pid = self
            .process
            .id()
            .and_then(|id| Pid::from_raw(id.cast_signed()))
            .expect("it runs");
        kill_process(pid, Signal::TERM).expect("it can be signalled");
        let ended = tokio::time::timeout(PATIENCE, self.process.wait()).await;
        let status = ended.expect("it ends in time").expect("it can be waited for");
        self.output.await.expect("its output ends with it");
        status
    }
}

/// Returns the answer to a GET request.
pub async fn get(url: &str) -> String {
    #[expect(clippy::disallowed_methods, reason = "it reaches this machine only")]
    let client = reqwest::Client::new();
    let answer = client.get(url).send().await.expect("an answer");
    assert!(answer.status().is_success(), "{url}: {}", answer.status());
    answer.text().await.expect("text")
}

/// Returns the root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the text of a file of the repository.
pub fn text(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Returns the contents of a page's code blocks that begin with ```` ```sh run ````, in order. Tests run them.
pub fn run_blocks(page: &str) -> Vec<String> {
    let page = text(page);
    let blocks = page.split("```sh run\n").skip(1);
    blocks
        .map(|rest| rest.split("```").next().unwrap_or_default().to_owned())
        .collect()
}

/// Returns the search path, with the tools that `make test` installs in front.
pub fn search_path() -> String {
    let tools = [
        root().join("target/venv/bin"),
        root().join("sdk/typescript/node_modules/.bin"),
    ];
    let own = tools
        .iter()
        .map(|path| path.display().to_string())
        .collect::<Vec<_>>()
        .join(":");
    format!("{own}:{}", std::env::var("PATH").unwrap_or_default())
}
