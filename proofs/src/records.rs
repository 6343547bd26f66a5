//! What the practice site says that it accepted: the witness that every count is taken from.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// One thing that the site accepted.
#[derive(Clone, Debug, Deserialize)]
pub struct Record {
    /// Grows by one from record to record, over restarts too.
    pub seq: u64,
    /// UTC milliseconds by the site's clock.
    pub time: i64,
    pub member_id: u64,
    pub member_login: String,
    #[serde(flatten)]
    pub what: What,
}

/// What a record is about.
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
    /// A reply into a conversation.
    Reply(Reply),
    /// A conversation was taken out of a member's inbox.
    ConversationDeleted(Conversation),
    /// Somebody asked for new tokens.
    SessionRefresh(Refresh),
    ForeignBotCookie(BotCookie),
    /// Anything else.
    #[serde(other)]
    Other,
}

/// A reply as it was accepted.
#[derive(Clone, Debug, Deserialize)]
pub struct Reply {
    pub conversation_id: u64,
    pub message_id: u64,
    /// As it was sent.
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
    /// Whether the old ones were good.
    pub accepted: bool,
}

/// A cookie of a bot check that was brought by another client than the one that got it.
#[derive(Clone, Debug, Deserialize)]
pub struct BotCookie {
    pub cookie: String,
    pub path: String,
}

/// A member, signed in once more.
#[derive(Clone, Debug, Deserialize)]
pub struct SignedIn {
    pub id: u64,
    pub login: String,
    /// What a browser of theirs has now, a bot check's cookie among it.
    pub cookies: BTreeMap<String, String>,
}

impl SignedIn {
    /// The cookies as a browser sends them.
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
    /// Every metadata value found in it, by name.
    pub metadata: BTreeMap<String, String>,
}

/// An item or draft as it was accepted.
#[derive(Clone, Debug, Deserialize)]
pub struct Item {
    pub item_id: u64,
    /// The id that it had as a draft, once published.
    pub draft_id: Option<u64>,
    pub title: String,
    pub description: String,
    pub price_minor: Option<i64>,
    pub photo_sha256s: Vec<String>,
    /// Whether the click was one that the browser vouches for; absent where no click belongs to it.
    pub trusted: Option<bool>,
    /// Whether the paid bump was bought with it.
    pub push_up: Option<bool>,
}

impl Record {
    /// The item, if one was published.
    #[must_use]
    pub fn published(&self) -> Option<&Item> {
        match &self.what {
            What::ItemPublished(item) => Some(item),
            _ => None,
        }
    }
}

/// Reads a file that a practice site writes its records to.
///
/// # Errors
///
/// The file cannot be read, or holds a line that is no record.
pub fn read_file(path: &Path) -> Result<Vec<Record>> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    text.lines()
        .map(|line| serde_json::from_str(line).with_context(|| format!("{}: {line}", path.display())))
        .collect()
}

/// A practice site that runs, by its admin API.
#[derive(Clone, Debug)]
pub struct Site {
    url: String,
    http: reqwest::Client,
}

impl Site {
    /// The site at `url`, like `http://127.0.0.1:50052`.
    ///
    /// # Errors
    ///
    /// Never in practice: the HTTP client has no settings that could be wrong.
    #[expect(
        clippy::disallowed_methods,
        reason = "it talks to a practice site on this machine and carries no secret"
    )]
    pub fn new(url: &str) -> Result<Self> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self {
            url: url.trim_end_matches('/').to_owned(),
            http,
        })
    }

    /// Where it is, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// All records after the one numbered `since`, oldest first.
    ///
    /// # Errors
    ///
    /// The site does not answer, or is no practice site.
    pub async fn records(&self, since: u64) -> Result<Vec<Record>> {
        self.get(&format!("records?since={since}")).await
    }

    /// The number of the last record; 0 if there is none.
    ///
    /// # Errors
    ///
    /// As [`records`](Self::records).
    pub async fn last_seq(&self) -> Result<u64> {
        Ok(self.records(0).await?.last().map_or(0, |record| record.seq))
    }

    /// Signs a member in as a person does in a browser of their own, and makes the member where there is none.
    ///
    /// # Errors
    ///
    /// As [`records`](Self::records).
    pub async fn sign_in(&self, login: &str) -> Result<SignedIn> {
        let request = self.http.post(format!("{}/_practice/members", self.url));
        let answer = request
            .json(&serde_json::json!({ "login": login }))
            .send()
            .await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    /// Changes the settings that are named.
    ///
    /// # Errors
    ///
    /// As [`records`](Self::records).
    pub async fn set(&self, settings: &Value) -> Result<()> {
        let request = self.http.post(format!("{}/_practice/settings", self.url));
        request.json(settings).send().await?.error_for_status()?;
        Ok(())
    }

    /// Requests for new tokens since a record: those that were granted, and those that were refused.
    ///
    /// # Errors
    ///
    /// As [`records`](Self::records).
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

    /// Adds a rule behind those in the site's script.
    ///
    /// # Errors
    ///
    /// The site does not answer, or does not understand the rule.
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

    /// Puts an item into a member's wardrobe, as if it had been there before; see the site's admin API for what it is made of.
    ///
    /// # Errors
    ///
    /// The site does not answer, or does not understand the item.
    pub async fn put_item(&self, body: &Value) -> Result<Value> {
        self.post("items", body).await
    }

    /// Has the site make or do something.
    ///
    /// # Errors
    ///
    /// The site does not answer, or refuses.
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

    /// What the site says at one of its admin addresses.
    ///
    /// # Errors
    ///
    /// As [`records`](Self::records).
    pub async fn get_value(&self, what: &str) -> Result<Value> {
        self.get(what).await
    }

    /// All records as the site wrote them, with every field of what it accepted.
    ///
    /// # Errors
    ///
    /// As [`records`](Self::records).
    pub async fn whole_records(&self) -> Result<Vec<Value>> {
        self.get("records").await
    }

    /// Makes a member whose pages are particular ones.
    ///
    /// # Errors
    ///
    /// The site does not answer, or does not understand it.
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

    /// The site's script, each rule with how often it has `struck`.
    ///
    /// # Errors
    ///
    /// As [`records`](Self::records).
    pub async fn rules(&self) -> Result<Vec<Value>> {
        self.get("script").await
    }

    /// How many requests the site has got, other than to its admin API.
    ///
    /// # Errors
    ///
    /// As [`records`](Self::records).
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
        answer.with_context(|| format!("what answers at {} is no practice site", self.url))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_with_what_it_is_about() {
        let line = r#"{"seq": 4, "time": 5, "kind": "item_published", "member_id": 6, "member_login": "x", "item_id": 7,
            "draft_id": 7, "title": "t", "description": "d", "price": "1.50", "price_minor": 150, "photo_sha256s": ["a"],
            "push_up": false, "trusted": true, "via": "draft"}"#;
        let record: Record = serde_json::from_str(line).expect("it is a record");
        let item = record.published().expect("it says so");
        assert_eq!(
            (record.seq, item.item_id, item.price_minor, item.trusted),
            (4, 7, Some(150), Some(true))
        );
    }
}
