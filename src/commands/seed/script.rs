//! Tells the practice site how to misbehave and what has been said there, through its admin API.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The longest that the practice site may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

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

    /// Lets so many sellers of whom nobody has wanted anything yet have heard from buyers.
    pub async fn recall_buyers(&self, sellers: usize) -> Result<()> {
        self.ask("/_practice/buyers", &json!({"steps": sellers})).await
    }

    async fn ask(&self, path: &str, wish: &Value) -> Result<()> {
        let wish = wish.to_string();
        let answer = tokio::time::timeout(PATIENCE, self.post(path, &wish));
        let answer = answer.await.context("the practice site does not answer")??;
        match answer.split_whitespace().nth(1) {
            Some("200") => Ok(()),
            _ => bail!("the practice site refused {path}: {answer}"),
        }
    }

    /// One call over a connection of its own; an HTTP client would be a large thing for this.
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
