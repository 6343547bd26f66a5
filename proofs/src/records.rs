//! The practice site's records of accepted writes; the proofs take every count from them.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// One accepted write.
#[derive(Clone, Debug, Deserialize)]
pub struct Record {
    /// The number of the record. It grows by one from record to record, also after restarts.
    pub seq: u64,
    /// The time of the site's clock, in UTC milliseconds.
    pub time: i64,
    pub member_id: u64,
    pub member_login: String,
    #[serde(flatten)]
    pub what: What,
}

/// The content of a record.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum What {
    Photo(Photo),
    DraftSaved(Item),
    DraftDeleted(Item),
    ItemPublished(Item),
    ItemEdited(Item),
    ItemHidden(Item),
    ItemUnhidden(Item),
    ItemDeleted(Item),
    /// A reply in a conversation.
    Reply(Reply),
    /// A member removed a conversation from the inbox.
    ConversationDeleted(Conversation),
    /// A client requested new tokens.
    SessionRefresh(Refresh),
    ForeignBotCookie(BotCookie),
    /// Any other record.
    #[serde(other)]
    Other,
}

/// An accepted reply.
#[derive(Clone, Debug, Deserialize)]
pub struct Reply {
    pub conversation_id: u64,
    pub message_id: u64,
    /// The text as it was sent.
    pub body: String,
    pub photo_sha256s: Vec<String>,
}

/// A conversation.
#[derive(Clone, Debug, Deserialize)]
pub struct Conversation {
    pub conversation_id: u64,
}

/// A request for new tokens.
#[derive(Clone, Debug, Deserialize)]
pub struct Refresh {
    /// Whether the old tokens were valid.
    pub accepted: bool,
}

/// A bot check cookie from a client that did not receive it.
#[derive(Clone, Debug, Deserialize)]
pub struct BotCookie {
    pub cookie: String,
    pub path: String,
}

/// A member after a new sign-in.
#[derive(Clone, Debug, Deserialize)]
pub struct SignedIn {
    pub id: u64,
    pub login: String,
    /// The cookies of the member's browser, including a bot check's cookie.
    pub cookies: BTreeMap<String, String>,
}

impl SignedIn {
    /// Returns the cookies as a browser sends them.
    #[must_use]
    pub fn header(&self) -> String {
        let pairs = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join("; ")
    }
}

/// A photo as it reached the site.
#[derive(Clone, Debug, Deserialize)]
pub struct Photo {
    pub photo_id: u64,
    pub sha256: String,
    pub width: u32,
    pub height: u32,
    /// Every metadata value in it, by name.
    pub metadata: BTreeMap<String, String>,
}

/// An accepted item or draft.
#[derive(Clone, Debug, Deserialize)]
pub struct Item {
    pub item_id: u64,
    /// The id of the former draft, once published.
    pub draft_id: Option<u64>,
    pub title: String,
    pub description: String,
    pub price_minor: Option<i64>,
    pub photo_sha256s: Vec<String>,
    /// Whether the browser marked the click as trusted; absent without a click.
    pub trusted: Option<bool>,
    /// Whether the paid bump was bought with it.
    pub push_up: Option<bool>,
}

impl Record {
    /// Returns the item, if one was published.
    #[must_use]
    pub fn published(&self) -> Option<&Item> {
        match &self.what {
            What::ItemPublished(item) => Some(item),
            _ => None,
        }
    }
}

/// Reads the records' file of a practice site.
///
/// # Errors
///
/// Fails if the file cannot be read or a line is not a record.
pub fn read_file(path: &Path) -> Result<Vec<Record>> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    text.lines()
        .map(|line| serde_json::from_str(line).with_context(|| format!("{}: {line}", path.display())))
        .collect()
}

/// The admin API of a running practice site.
#[derive(Clone, Debug)]
pub struct Site {
    url: String,
    http: reqwest::Client,
}

impl Site {
    /// Returns the site at `url`, like `http://127.0.0.1:50052`.
    ///
    /// # Errors
    ///
    /// Never fails in practice: the HTTP client has no settings that could be invalid.
    #[expect(
        clippy::disallowed_methods,
        reason = "it only calls a practice site on this machine and sends no secret"
    )]
    pub fn new(url: &str) -> Result<Self> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self {
            url: url.trim_end_matches('/').to_owned(),
            http,
        })
    }

    /// Returns the address without a slash at the end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns all records after number `since`, oldest first.
    ///
    /// # Errors
    ///
    /// Fails if the site does not answer or is not a practice site.
    pub async fn records(&self, since: u64) -> Result<Vec<Record>> {
        self.get(&format!("records?since={since}")).await
    }

    /// Returns the number of the last record. 0 if the site has no records.
    ///
    /// # Errors
    ///
    /// Fails like [`records`](Self::records).
    pub async fn last_seq(&self) -> Result<u64> {
        Ok(self.records(0).await?.last().map_or(0, |record| record.seq))
    }

    /// Signs a member in, as in a new browser, and creates the member if the login is new.
    ///
    /// # Errors
    ///
    /// Fails like [`records`](Self::records).
    pub async fn sign_in(&self, login: &str) -> Result<SignedIn> {
        let request = self.http.post(format!("{}/_practice/members", self.url));
        let answer = request
            .json(&serde_json::json!({ "login": login }))
            .send()
            .await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    /// Changes the named settings.
    ///
    /// # Errors
    ///
    /// Fails like [`records`](Self::records).
    pub async fn set(&self, settings: &Value) -> Result<()> {
        let request = self.http.post(format!("{}/_practice/settings", self.url));
        request.json(settings).send().await?.error_for_status()?;
        Ok(())
    }

    /// Returns the numbers of granted and refused requests for new tokens after a record.
    ///
    /// # Errors
    ///
    /// Fails like [`records`](Self::records).
    pub async fn refreshes(&self, since: u64) -> Result<(usize, usize)> {
        let records = self.records(since).await?;
        let asked = |wanted: bool| {
            let refreshes = records.iter().filter_map(|record| match &record.what {
                What::SessionRefresh(refresh) => Some(refresh),
                _ => None,
            });
            refreshes.filter(|refresh| refresh.accepted == wanted).count()
        };
        Ok((asked(true), asked(false)))
    }

    /// Appends a rule to the site's script.
    ///
    /// # Errors
    ///
    /// Fails if the site does not answer or rejects the rule.
    pub async fn add_rule(&self, rule: &Value) -> Result<()> {
        let request = self
            .http
            .post(format!("{}/_practice/script", self.url))
            .json(rule);
        let response = request.send().await?;
        let status = response.status();
        ensure!(
            status.is_success(),
            "the practice site refused the rule {rule}: {}",
            response.text().await?
        );
        Ok(())
    }

    /// Adds an item to a member's wardrobe, as if it had existed before; the site's admin API documents the body.
    ///
    /// # Errors
    ///
    /// Fails if the site does not answer or rejects the item.
    pub async fn put_item(&self, body: &Value) -> Result<Value> {
        self.post("items", body).await
    }

    /// Sends a POST request to the admin API.
    ///
    /// # Errors
    ///
    /// Fails if the site does not answer or rejects the request.
    pub async fn post(&self, what: &str, body: &Value) -> Result<Value> {
        let request = self
            .http
            .post(format!("{}/_practice/{what}", self.url))
            .json(body);
        let response = request.send().await?;
        let status = response.status();
        let text = response.text().await?;
        ensure!(
            status.is_success(),
            "the practice site refused {what} {body}: {text}"
        );
        Ok(serde_json::from_str(&text)?)
    }

    /// Sends a GET request to the admin API.
    ///
    /// # Errors
    ///
    /// Fails like [`records`](Self::records).
    pub async fn get_value(&self, what: &str) -> Result<Value> {
        self.get(what).await
    }

    /// Returns all records as the site wrote them, with every field.
    ///
    /// # Errors
    ///
    /// Fails like [`records`](Self::records).
    pub async fn whole_records(&self) -> Result<Vec<Value>> {
        self.get("records").await
    }

    /// Creates a member, optionally with an appearance of the pages.
    ///
    /// # Errors
    ///
    /// Fails if the site does not answer or rejects the member.
    pub async fn add_member(&self, member: &Value) -> Result<()> {
        let request = self
            .http
            .post(format!("{}/_practice/members", self.url))
            .json(member);
        let response = request.send().await?;
        let status = response.status();
        ensure!(
            status.is_success(),
            "the practice site refused the member {member}: {}",
            response.text().await?
        );
        Ok(())
    }

    /// Returns the rules of the site's script. Each contains `struck`, the number of its applications.
    ///
    /// # Errors
    ///
    /// Fails like [`records`](Self::records).
    pub async fn rules(&self) -> Result<Vec<Value>> {
        self.get("script").await
    }

    /// Returns the number of requests to the site, without those to its admin API.
    ///
    /// # Errors
    ///
    /// Fails like [`records`](Self::records).
    pub async fn requests(&self) -> Result<u64> {
        #[derive(Deserialize)]
        struct Requests {
            count: u64,
        }
        Ok(self.get::<Requests>("requests").await?.count)
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let response = self
            .http
            .get(format!("{}/_practice/{path}", self.url))
            .send()
            .await;
        let response = response.with_context(|| format!("no practice site answers at {}", self.url))?;
        let answer = response.error_for_status()?.json().await;
        answer.with_context(|| format!("the server at {} is not a practice site", self.url))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_is_read_with_its_subject() {
        let line = r#"{"seq": 4, "time": 5, "kind": "item_published", "member_id": 6, "member_login": "x", "item_id": 7,
            "draft_id": 7, "title": "t", "description": "d", "price": "1.50", "price_minor": 150, "photo_sha256s": ["a"],
            "push_up": false, "trusted": true, "via": "draft"}"#;
        let record: Record = serde_json::from_str(line).expect("it is a record");
        let item = record.published().expect("it is a publication");
        assert_eq!(
            (record.seq, item.item_id, item.price_minor, item.trusted),
            (4, 7, Some(150), Some(true))
        );
    }
}
