//! A rolling restart under load behind HAProxy, as operators run it.

use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::TryStreamExt as _;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};
use vintedbot_proofs::cluster::{Cluster, Seller};
use vintedbot_proofs::postgres::ports::Port;
use vintedbot_sdk::v1::WatchRequest;
use vintedbot_sdk::v1::watch_response::Message;

use crate::together::published;

/// Stops and restarts each server and each worker, one after the other, while a seller publishes and a client watches
/// through the proxy.
pub async fn rolling_restart_loses_no_event_and_no_job(cluster: &mut Cluster) -> Result<()> {
    let proxy = Proxy::start(cluster).await?;
    let client = cluster.client(&proxy.url)?;
    let seller = Seller::start(&client, "Sophie").await?;

    let sequences = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&sequences);
    let mut watch = client.events().watch(WatchRequest::default());
    let watching = tokio::spawn(async move {
        while let Some(message) = watch.try_next().await? {
            if let Message::Event(event) = message {
                seen.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(event.sequence);
            }
        }
        Err::<(), _>(anyhow::anyhow!("the watch ended"))
    });

    let publishing = tokio::spawn(async move {
        let mut titles = Vec::new();
        for number in 0..12 {
            let title = format!("Sweat en route {number}");
            seller.publish(&title).await.with_context(|| title.clone())?;
            titles.push(title);
        }
        Ok::<_, anyhow::Error>(titles)
    });
    for number in 0..2 {
        cluster.servers[number].stop().await?;
        cluster.servers[number].start().await?;
        // HAProxy has to mark the server as up before the next one stops.
        sleep(Duration::from_secs(2)).await;
        cluster.workers[number].stop().await?;
        cluster.workers[number].start().await?;
    }
    let titles = publishing.await??;
    for title in &titles {
        ensure!(published(cluster, title).await? == 1, "{title}");
    }

    // The newest event arrived, and the log has no other events.
    let until = Instant::now() + Duration::from_secs(20);
    let mut again = client.events().watch(WatchRequest::default());
    let head = loop {
        if let Message::Checkpoint(checkpoint) = again.try_next().await?.context("the watch ended")? {
            break checkpoint.sequence;
        }
    };
    loop {
        let seen = sequences.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if seen.last().is_some_and(|last| *last >= head) {
            let first = seen[0];
            let expected: Vec<_> = (first..first + seen.len() as u64).collect();
            ensure!(seen == expected, "events are missing or came twice: {seen:?}");
            break;
        }
        ensure!(!watching.is_finished(), "the watch broke off");
        ensure!(
            Instant::now() < until,
            "the last event {head} did not come: {:?}",
            seen.last()
        );
        sleep(Duration::from_millis(50)).await;
    }
    watching.abort();
    proxy.stop().await
}

/// HAProxy in front of all servers. It takes a server out of rotation as soon as the server reports that it is
/// stopping.
struct Proxy {
    child: Child,
    url: String,
    _port: Port,
}

impl Proxy {
    async fn start(cluster: &Cluster) -> Result<Self> {
        let port = Port::take()?;
        let address = port.address();
        let servers: String = cluster
            .servers
            .iter()
            .enumerate()
            .map(|(number, server)| {
                format!(
                    "    server s{number} {} proto h2 check check-proto h1\n",
                    server.address()
                )
            })
            .collect();
        let settings = format!(
            "defaults\n    mode http\n    timeout connect 2s\n    timeout client 1h\n    timeout server 1h\n    retries 3\n    \
             option redispatch\nfrontend in\n    bind {address} proto h2\n    default_backend servers\nbackend servers\n    \
             balance roundrobin\n    option httpchk GET /ready\n    default-server inter 300ms fall 1 rise 1 on-marked-down shutdown-sessions\n{servers}"
        );
        let file = cluster.folder().join("haproxy.cfg");
        std::fs::write(&file, settings)?;
        let program = if std::path::Path::new("/usr/sbin/haproxy").exists() {
            "/usr/sbin/haproxy"
        } else {
            "haproxy"
        };
        let log = std::fs::File::create(cluster.folder().join("haproxy.log"))?;
        let child = Command::new(program)
            .arg("-db")
            .arg("-f")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .context("haproxy cannot be started; make redis installs it")?;
        let until = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(address).await.is_err() {
            ensure!(Instant::now() < until, "HAProxy does not listen");
            sleep(Duration::from_millis(20)).await;
        }
        // HAProxy has checked the servers once by then.
        sleep(Duration::from_secs(1)).await;
        Ok(Self {
            child,
            url: format!("http://{address}"),
            _port: port,
        })
    }

    async fn stop(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }
}
