//! A client of the practice site's admin API, which scripts faults and buyers' messages.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The timeout of a request to the practice site.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The practice site's admin API.
pub struct Site {
    authority: String,
}

impl Site {
    pub fn at(url: &str) -> Result<Self> {
        let authority = url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
        let authority =
            authority.with_context(|| format!("the practice site's address {url} is not http"))?;
        Ok(Self {
            authority: authority.to_owned(),
        })
    }

    /// Adds a rule to the site's script.
    pub async fn misbehave(&self, rule: &Value) -> Result<()> {
        self.ask("/_practice/script", rule).await
    }

    /// Creates past messages of buyers for this number of sellers that have none yet.
    pub async fn recall_buyers(&self, sellers: usize) -> Result<()> {
        self.ask("/_practice/buyers", &json!({"steps": sellers})).await
    }

    async fn ask(&self, path: &str, body: &Value) -> Result<()> {
        let body = body.to_string();
        let answer = tokio::time::timeout(TIMEOUT, self.post(path, &body));
        let answer = answer.await.context("the practice site does not answer")??;
        match answer.split_whitespace().nth(1) {
            Some("200") => Ok(()),
            _ => bail!("the practice site refused {path}: {answer}"),
        }
    }

    /// Sends one request over a new connection. An HTTP client library would be too large for this.
    async fn post(&self, path: &str, body: &str) -> Result<String> {
        let mut stream = TcpStream::connect(&self.authority).await?;
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            self.authority,
            body.len()
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }
}
