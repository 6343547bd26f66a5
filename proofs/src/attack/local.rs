//! F, G and K: the log, other users of the machine, and SIGKILL, each with a real browser.

use std::collections::HashSet;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;
use tokio::time::{Instant, sleep, timeout};
use vintedbot_sdk::v1::CreateListingRequest;
use vintedbot_sdk::{Client, RetryPolicy, Upload};
use vintedbot_worker::Stage as Kill;

use super::Verdict;
use super::stage::Stage;
use crate::bench::fixture;
use crate::instance::{Browser, Instance, using};
use crate::postgres::ports::Port;
use crate::{contents, photos};

/// The limit until an attempt halts; on a busy machine a browser starts slowly.
const REACHED_WITHIN: Duration = Duration::from_secs(60);
/// The limit until the leftovers of a killed instance are gone.
const GONE_WITHIN: Duration = Duration::from_secs(10);
/// The limit until an attempt continues after a restart; shorter than the default lease of a minute.
const GOES_ON_WITHIN: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);

/// Logs everything while a browser works whose driver runs elsewhere, so that cookies pass over a WebSocket.
pub async fn logs(stage: &Stage) -> Result<Verdict> {
    let port = Port::take()?;
    let program = std::env::var_os("CHROMEDRIVER").filter(|path| !path.is_empty());
    let _driver = Command::new(program.unwrap_or_else(|| "chromedriver".into()))
        .arg(format!("--port={}", port.address().port()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("cannot start chromedriver")?;
    let url = format!("http://{}", port.address());
    let settings = [("LOG", "trace"), ("WEBDRIVER_URL", url.as_str())];
    let mut instance = stage.own_instance("logs", Browser::Required, &settings)?;
    instance.start().await?;
    let client = connect(&instance).await?;
    let job_id = prepare(&client, "Jean bleu").await?;
    let job = timeout(REACHED_WITHIN, client.publish().settled(&job_id)).await??;
    ensure!(
        job.confirmation.is_some(),
        "the job does not await its confirmation: {job:?}"
    );
    let log = std::fs::read(instance.log_file())?;
    stage.stop(instance).await?;
    let log = String::from_utf8_lossy(&log);
    ensure!(
        log.contains("PublishService/PreparePublish"),
        "the log does not contain the call"
    );
    // Session cookies of the practice site, in requests and in the commands to the browser.
    let found = ["access_token_web=", "refresh_token_web=", "\"access_token_web\""];
    let found: Vec<_> = found.into_iter().filter(|text| log.contains(text)).collect();
    Ok(Verdict::unless(found.is_empty(), || {
        format!("the log contains {found:?}")
    }))
}

/// Searches, as another user, for open ports of a browser that is signed in.
pub async fn doors(stage: &Stage) -> Result<Verdict> {
    let mut halted = Halted::start(
        stage,
        "doors",
        Kill::Fill(vintedbot_marketplace::FillStep::TitleFilled),
    )
    .await?;
    let folder = stage.folder.join("doors");
    let pids: Vec<u32> = using(&folder)
        .iter()
        .map(|pid| pid.as_raw_nonzero().get().cast_unsigned())
        .collect();
    ensure!(pids.len() > 2, "no browser is running: {pids:?}");
    let own = halted.instance.pid().context("the process does not run")?;
    let browsers: Vec<_> = pids.into_iter().filter(|pid| *pid != own).collect();
    let open = listening(&browsers)?;
    halted.end(stage).await?;
    Ok(Verdict::unless(open.is_empty(), || {
        format!("every user of this machine can reach the browser at {open:?}")
    }))
}

/// Kills the process while its browser is signed in.
pub async fn orphans(stage: &Stage) -> Result<Verdict> {
    let mut halted = Halted::start(
        stage,
        "orphans",
        Kill::Fill(vintedbot_marketplace::FillStep::TitleFilled),
    )
    .await?;
    let folder = stage.folder.join("orphans");
    halted.instance.kill().await?;
    let began = Instant::now();
    while began.elapsed() < GONE_WITHIN && !using(&folder).is_empty() {
        sleep(POLL).await;
    }
    let left = using(&folder).len();
    halted.instance.end_leftovers();
    Ok(Verdict::unless(left == 0, || {
        format!("{left} processes are still running")
    }))
}

/// Kills the process, so that its attempt waits for a lease without a holder.
pub async fn leases(stage: &Stage) -> Result<Verdict> {
    let mut halted = Halted::start(stage, "leases", Kill::Begun).await?;
    halted.instance.kill().await?;
    halted.instance.set("CRASH_AT", "");
    halted.instance.start().await?;
    let client = connect(&halted.instance).await?;
    let settled = timeout(GOES_ON_WITHIN, client.publish().settled(&halted.job_id)).await;
    halted.end(stage).await?;
    Ok(match settled {
        Ok(Ok(job)) if job.confirmation.is_some() => Verdict::Held,
        Ok(other) => Verdict::Succeeded(format!("the job ends as {other:?}")),
        Err(_elapsed) => Verdict::Succeeded("the job waits for a lease without a holder".to_owned()),
    })
}

/// A separate instance that halts in the middle of an attempt.
struct Halted {
    instance: Instance,
    job_id: String,
}

impl Halted {
    async fn start(stage: &Stage, name: &str, at: Kill) -> Result<Self> {
        let file = stage.folder.join(format!("{name}-halted"));
        let settings = [
            ("CRASH_AT", at.name()),
            (
                "CRASH_FILE",
                file.to_str().context("the path is not valid UTF-8")?,
            ),
        ];
        let browser = if at == Kill::Begun {
            Browser::Off
        } else {
            Browser::Required
        };
        let mut instance = stage.own_instance(name, browser, &settings)?;
        instance.start().await?;
        let job_id = prepare(&connect(&instance).await?, "Veste verte").await?;
        let began = Instant::now();
        while !file.exists() {
            ensure!(began.elapsed() < REACHED_WITHIN, "{} was not reached", at.name());
            sleep(POLL).await;
        }
        Ok(Self { instance, job_id })
    }

    /// Ends the instance and its child processes. A halted attempt never drains, so the instance is killed.
    async fn end(&mut self, stage: &Stage) -> Result<()> {
        stage.note_peak(&self.instance)?;
        self.instance.kill().await?;
        self.instance.end_leftovers();
        Ok(())
    }
}

async fn connect(instance: &Instance) -> Result<Client> {
    let client = Client::builder(instance.url()).token_file(instance.token_file());
    Ok(client.retry(RetryPolicy::never()).build().await?)
}

/// Prepares a publication. Returns the id of its job.
async fn prepare(client: &Client, title: &str) -> Result<String> {
    let account = fixture::account(client).await?;
    let stored = client
        .media()
        .upload(Upload::bytes(photos::jpeg(9, 600, 800)?))
        .await?;
    let photo = stored.photo.context("the answer contains no photo")?;
    let request = CreateListingRequest {
        account_id: account.id,
        listing: Some(contents::whole(title, vec![photo.id])),
        ..Default::default()
    };
    let listing = client.listings().create(request).await?;
    Ok(client.publish().prepare(&listing.id).await?.id)
}

/// Returns the TCP ports on which these processes listen in the network namespace of the machine.
fn listening(pids: &[u32]) -> Result<Vec<u16>> {
    let mut sockets = HashSet::new();
    for pid in pids {
        // A process that has ended no longer listens.
        let Ok(entries) = std::fs::read_dir(format!("/proc/{pid}/fd")) else {
            continue;
        };
        for link in entries
            .flatten()
            .filter_map(|entry| std::fs::read_link(entry.path()).ok())
        {
            let link = link.to_string_lossy();
            if let Some(inode) = link
                .strip_prefix("socket:[")
                .and_then(|rest| rest.strip_suffix(']'))
            {
                sockets.insert(inode.to_owned());
            }
        }
    }
    let mut ports = Vec::new();
    for table in ["/proc/self/net/tcp", "/proc/self/net/tcp6"] {
        if !Path::new(table).exists() {
            continue;
        }
        for line in std::fs::read_to_string(table)?.lines().skip(1) {
            let fields: Vec<_> = line.split_whitespace().collect();
            // proc(5): the local address, the state (0A is LISTEN), and the inode.
            let (Some(address), Some(&"0A"), Some(inode)) = (fields.get(1), fields.get(3), fields.get(9))
            else {
                continue;
            };
            let port = address.rsplit(':').next().context("the address has no port")?;
            if sockets.contains(*inode) {
                ports.push(u16::from_str_radix(port, 16)?);
            }
        }
    }
    Ok(ports)
}
