//! The member's own actions on the site, which vintedbot does not make.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use vintedbot_sdk::v1::Account;

use super::world::World;

/// A second signed-in session of a member.
pub struct Hand {
    http: reqwest::Client,
    url: String,
    token: String,
    pub member_id: u64,
}

impl Hand {
    /// Signs in as the account's member.
    ///
    /// # Errors
    ///
    /// Fails if the site does not answer.
    #[expect(
        clippy::disallowed_methods,
        reason = "it talks to a practice site on this machine and carries no secret"
    )]
    pub async fn of(world: &World, account: &Account) -> Result<Self> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        let url = world.site.url().to_owned();
        let answer: Value = http
            .post(format!("{url}/_practice/members"))
            .json(&json!({"login": account.member_login}))
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?;
        let token = answer["access_token"].as_str().context("a token")?.to_owned();
        Ok(Self {
            http,
            url,
            token,
            member_id: account.member_id.parse()?,
        })
    }

    /// Changes the price of an item as its edit page does. The other fields stay.
    ///
    /// # Errors
    ///
    /// Fails if the site refuses it.
    pub async fn set_price(&self, item_id: &str, price: &str) -> Result<()> {
        let path = format!("api/v2/item_upload/items/{item_id}");
        let mut item = self.call(reqwest::Method::GET, &path, None).await?["item"].take();
        item["price"] = price.into();
        let photos = item["photos"].as_array().context("photos")?.iter();
        item["assigned_photos"] = photos.map(|photo| json!({"id": photo["id"]})).collect();
        let colors = [&item["color1_id"], &item["color2_id"]];
        let colors: Vec<_> = colors.into_iter().filter(|id| !id.is_null()).cloned().collect();
        item["color_ids"] = colors.into();
        self.call(reqwest::Method::PUT, &path, Some(json!({"item": item})))
            .await?;
        Ok(())
    }

    /// Deletes an item.
    ///
    /// # Errors
    ///
    /// Fails if the site refuses it.
    pub async fn delete(&self, item_id: &str) -> Result<()> {
        let path = format!("api/v2/items/{item_id}/delete");
        self.call(reqwest::Method::POST, &path, None).await.map(drop)
    }

    async fn call(&self, method: reqwest::Method, path: &str, body: Option<Value>) -> Result<Value> {
        let request = self.http.request(method, format!("{}/{path}", self.url));
        let request = request.bearer_auth(&self.token);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        let answer = request.send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "{path}: {status} {text}");
        Ok(serde_json::from_str(&text)?)
    }
}
