//! A real S3 server on this machine with one bucket. Tests can stop and restart it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::Result;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

pub const BUCKET: &str = "photos";
const KEY: &str = "storyteller";
pub const SECRET: &str = "a-key-that-must-stay-secret";

/// The server. Dropping it stops the server and deletes its data.
pub struct Bucket {
    folder: tempfile::TempDir,
    address: SocketAddr,
    server: Option<JoinHandle<()>>,
}

impl Bucket {
    /// Starts a server on a free port.
    ///
    /// # Errors
    ///
    /// Fails if the server does not start.
    pub async fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        std::fs::create_dir(folder.path().join(BUCKET))?;
        let mut bucket = Self {
            folder,
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            server: None,
        };
        bucket.restart_server().await?;
        Ok(bucket)
    }

    /// Starts the server again on the same port and data.
    ///
    /// # Errors
    ///
    /// Fails if the port is taken.
    pub async fn restart_server(&mut self) -> Result<()> {
        let files = FileSystem::new(self.folder.path()).map_err(|error| anyhow::anyhow!("{error:?}"))?;
        let mut service = S3ServiceBuilder::new(files);
        service.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let service = service.build();
        let listener = TcpListener::bind(self.address).await?;
        self.address = listener.local_addr()?;
        self.server = Some(tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let service = service.clone();
                connections.spawn(async move {
                    let http = Builder::new(TokioExecutor::new());
                    // An error of a client that disconnects is ignored.
                    let _ = http.serve_connection(TokioIo::new(socket), service).await;
                });
            }
        }));
        Ok(())
    }

    /// Stops the server and all of its connections, as SIGKILL would.
    pub async fn kill_server(&mut self) {
        if let Some(server) = self.server.take() {
            server.abort();
            let _ = server.await;
        }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the settings with which an instance uses this bucket.
    pub fn settings(&self) -> Vec<(String, String)> {
        [
            ("MEDIA_URL", format!("s3://{BUCKET}/of/one/instance")),
            ("AWS_ENDPOINT_URL", self.endpoint()),
            ("AWS_ACCESS_KEY_ID", KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET.to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// Returns the folder in which the server stores the files of an instance.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().join(BUCKET).join("of/one/instance")
    }

    /// Returns the keys of all objects below a folder of the instance.
    pub fn keys(&self, below: &str) -> Vec<String> {
        let root = self.folder();
        let mut found = Vec::new();
        let mut folders = vec![root.join(below)];
        while let Some(folder) = folders.pop() {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            for path in entries.map(|entry| entry.path()) {
                if path.is_dir() {
                    folders.push(path);
                } else if let Some(key) = PathBuf::from(&path)
                    .strip_prefix(&root)
                    .ok()
                    .and_then(|key| key.to_str())
                {
                    found.push(key.to_owned());
                }
            }
        }
        found.sort();
        found
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            server.abort();
        }
    }
}
