//! A site on a free port, and a member who calls it as a browser would.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use vintedbot_practice::{Config, Practice, Running};

/// A leaf category below Men, and a matching size, colour and so on.
pub const HOODIES: u64 = 7030;

pub struct Rig {
    pub site: Running,
    pub client: reqwest::Client,
    pub records_file: PathBuf,
    pub config: Config,
    _folder: tempfile::TempDir,
}

pub struct Member {
    pub id: u64,
    pub csrf: String,
    pub cookies: Value,
    base: String,
    client: reqwest::Client,
}

impl Rig {
    #[expect(
        clippy::disallowed_methods,
        reason = "the client of a test follows nothing and knows no secret"
    )]
    /// Starts a site whose changes are visible at once unless a script delays them.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let records_file = folder.path().join("records.jsonl");
        let config = Config {
            records: Some(records_file.clone()),
            state: Some(folder.path().join("state.json")),
            visible_delay_ms: 0,
            buyers: None,
        };
        let site = bind(&config).await;
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(20))
            .build()
            .expect("a client");
        Self {
            site,
            client,
            records_file,
            config,
            _folder: folder,
        }
    }

    /// Stops the site and starts it again on the same files.
    pub async fn restart(mut self) -> Self {
        let new_site = {
            let config = self.config.clone();
            let old = self.site;
            old.stop().await.expect("the site stops");
            bind(&config).await
        };
        self.site = new_site;
        self
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.site.local_addr())
    }

    pub async fn admin(&self, method: Method, path: &str, body: Value) -> Value {
        let request = self
            .client
            .request(method, self.url(&format!("/_practice/{path}")))
            .json(&body);
        let response = request.send().await.expect("the admin API answers");
        let status = response.status();
        let text = response.text().await.expect("a body");
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).expect("JSON")
    }

    pub async fn member(&self, login: &str) -> Member {
        self.member_with(json!({"login": login, "language": "en"})).await
    }

    /// Creates a member with these settings through the admin API.
    pub async fn member_with(&self, wishes: Value) -> Member {
        let made = self.admin(Method::POST, "members", wishes).await;
        Member {
            id: made["id"].as_u64().expect("an id"),
            csrf: made["csrf_token"].as_str().expect("a token").to_owned(),
            cookies: importable(&made["cookies"]),
            base: self.url(""),
            client: self.client.clone(),
        }
    }

    /// Creates an older item of the member, at 20.00.
    pub async fn item(&self, member: &Member, title: &str) -> u64 {
        let item = json!({"title": title, "price": 20, "catalog_id": HOODIES});
        let wish = json!({"member_id": member.id, "item": item, "photos": 1});
        let made = self.admin(Method::POST, "items", wish).await;
        made["item"]["id"].as_u64().expect("an id")
    }

    /// Lets a buyer write to the member about items. Returns the answer of the admin API.
    pub async fn conversation(&self, member: &Member, item_ids: &[u64], text: &str) -> Value {
        let wish = json!({"member_id": member.id, "item_ids": item_ids, "text": text});
        self.admin(Method::POST, "conversations", wish).await
    }

    /// Performs an act of the buyer or the site in a conversation.
    pub async fn act(&self, conversation: &Value, act: Value) -> Value {
        let path = format!("conversations/{}", conversation["id"]);
        self.admin(Method::POST, &path, act).await
    }

    pub async fn script(&self, rule: Value) {
        self.admin(Method::POST, "script", rule).await;
    }

    /// Counts the records of `kind`.
    pub async fn count(&self, kind: &str) -> usize {
        self.records(kind).await.len()
    }

    pub async fn records(&self, kind: &str) -> Vec<Value> {
        let all = self.admin(Method::GET, "records", Value::Null).await;
        let all = all.as_array().expect("a list").clone();
        all.into_iter().filter(|record| record["kind"] == kind).collect()
    }
}

/// Returns the cookies that may be imported into another client: all except the bot check's cookie.
fn importable(cookies: &Value) -> Value {
    let mut cookies = cookies.clone();
    cookies.as_object_mut().expect("cookies").remove("datadome");
    cookies
}

async fn bind(config: &Config) -> Running {
    let addr = "127.0.0.1:0".parse().expect("an address");
    Practice::bind(addr, config.clone())
        .await
        .expect("the site starts")
}

impl Member {
    pub fn cookie_header(&self) -> String {
        let cookies = self.cookies.as_object().expect("cookies");
        let pairs = cookies
            .iter()
            .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()));
        pairs.collect::<Vec<_>>().join("; ")
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.base));
        request
            .header("cookie", self.cookie_header())
            .header("x-csrf-token", &self.csrf)
    }

    /// Makes a call whose answer may fail in transit.
    pub async fn try_call(&self, method: Method, path: &str, body: Value) -> reqwest::Result<Response> {
        let request = self.request(method, path);
        if body.is_null() {
            request.send().await
        } else {
            request.json(&body).send().await
        }
    }

    pub async fn call(&self, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        let response = self.try_call(method, path, body).await.expect("an answer");
        let status = response.status();
        let text = response.text().await.expect("a body");
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    pub async fn get(&self, path: &str) -> Value {
        let (status, body) = self.call(Method::GET, path, Value::Null).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    /// Returns a conversation of the member as the site shows it.
    pub async fn conversation(&self, conversation: &Value) -> Value {
        let path = format!("/api/v2/conversations/{}", conversation["id"]);
        self.get(&path).await["conversation"].clone()
    }

    /// Sends a reply that consists of a text.
    pub async fn reply(&self, conversation: &Value, text: &str) -> (StatusCode, Value) {
        let path = format!("/api/v2/conversations/{}/replies", conversation["id"]);
        let reply = json!({
            "body": text,
            "photo_temp_uuids": null,
            "is_personal_data_sharing_check_skipped": false,
        });
        self.call(Method::POST, &path, json!({"reply": reply})).await
    }

    pub async fn upload(&self, photo: Vec<u8>) -> (StatusCode, Value) {
        let form = reqwest::multipart::Form::new()
            .text("photo[type]", "item")
            .text("photo[temp_uuid]", "one-session")
            .part(
                "photo[file]",
                reqwest::multipart::Part::bytes(photo).file_name("photo.jpg"),
            );
        let response = self
            .request(Method::POST, "/api/v2/photos")
            .multipart(form)
            .send()
            .await
            .expect("an answer");
        let status = response.status();
        (status, response.json().await.expect("JSON"))
    }

    /// Returns a complete hoodie with one photo, as the form would send it.
    pub async fn hoodie(&self, title: &str) -> Value {
        let (status, photo) = self.upload(png()).await;
        assert_eq!(status, StatusCode::OK, "{photo}");
        let groups = self
            .get(&format!("/api/v2/item_upload/size_groups?catalog_ids={HOODIES}"))
            .await;
        json!({
            "title": title,
            "description": "Worn twice, warm and soft.",
            "price": 29.5,
            "currency": "EUR",
            "catalog_id": HOODIES,
            "brand_id": 53,
            "package_size_id": 1,
            "color_ids": [1, 15],
            "assigned_photos": [{"id": photo["id"], "orientation": 0}],
            "item_attributes": [
                {"code": "size", "ids": [groups["size_groups"][0]["sizes"][2]["id"]]},
                {"code": "condition", "ids": [3]},
                {"code": "material", "ids": [44]},
            ],
        })
    }

    pub async fn save_draft(&self, item: &Value) -> u64 {
        let (status, body) = self
            .call(Method::POST, "/api/v2/item_upload/drafts", json!({"draft": item}))
            .await;
        assert_eq!(status, StatusCode::OK, "{body}");
        body["draft"]["id"].as_u64().expect("an id")
    }

    pub fn completion(id: u64) -> String {
        format!("/api/v2/item_upload/drafts/{id}/completion")
    }

    pub async fn wardrobe(&self) -> Vec<Value> {
        let body = self
            .get(&format!("/api/v2/wardrobe/{}/items?per_page=96", self.id))
            .await;
        body["items"].as_array().expect("a list").clone()
    }
}

/// Returns a PNG of one pixel, without metadata.
pub fn png() -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    chunk(&mut bytes, b"IHDR", &[0, 0, 0, 1, 0, 0, 0, 1, 8, 2, 0, 0, 0]);
    chunk(
        &mut bytes,
        b"IDAT",
        &[
            0x78, 0x01, 0x01, 0x04, 0, 0xfb, 0xff, 0, 255, 0, 0, 0x03, 0x01, 0x01, 0,
        ],
    );
    chunk(&mut bytes, b"IEND", &[]);
    bytes
}

/// Appends a PNG chunk with its checksum.
pub fn chunk(bytes: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    bytes.extend(u32::try_from(data.len()).expect("short").to_be_bytes());
    let from = bytes.len();
    bytes.extend(kind);
    bytes.extend(data);
    let crc = bytes[from..].iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 {
                (crc >> 1) ^ 0xedb8_8320
            } else {
                crc >> 1
            }
        })
    });
    bytes.extend((!crc).to_be_bytes());
}
