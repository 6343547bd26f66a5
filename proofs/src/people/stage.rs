//! An instance of the real program, with a person who can sign in.

use std::path::Path;

use anyhow::{Context as _, Result};
use vintedbot_sdk::v1::auth_service_client::AuthServiceClient;
use vintedbot_sdk::v1::{SessionTokens, SignInRequest};
use vintedbot_sdk::{Client, RetryPolicy};

use super::context::{self, EMAIL, ENCRYPTION_KEY, PASSWORD};
use crate::instance::{Browser, Instance, Practice, Setup};

/// The settings of every process of this proof. All its calls come from one address, and many of them fail on purpose.
pub const SETTINGS: [(&str, &str); 4] = [
    ("LOG", "warn"),
    ("ENCRYPTION_KEY", ENCRYPTION_KEY),
    ("PEOPLE_FAILURES_PER_ACCOUNT", "1000000"),
    ("PEOPLE_FAILURES_PER_ADDRESS", "1000000"),
];

/// A running instance and its practice site.
pub struct Stage {
    pub instance: Instance,
    practice: Practice,
}

impl Stage {
    /// Starts the instance in `folder`, with this rule disabled, and creates the person.
    pub async fn set(folder: &Path, failpoints: &str) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let practice = Practice::start(&folder.join("records.jsonl")).await?;
        let mut instance = Instance::new(Setup {
            data_dir: folder.join("data"),
            practice_url: practice.site.url().to_owned(),
            browser: Browser::Off,
            settings: SETTINGS
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
        })?;
        instance.set("FAILPOINTS", failpoints);
        instance.start().await?;
        let url = format!("sqlite://{}", instance.database().display());
        context::add_person_at(&url, folder).await?;
        Ok(Self { instance, practice })
    }

    pub fn url(&self) -> String {
        self.instance.url()
    }

    pub fn pid(&self) -> Result<u32> {
        self.instance.pid().context("the process does not run")
    }

    /// Stops the instance and the practice site.
    pub async fn strike(mut self) -> Result<()> {
        self.instance.stop().await?;
        self.practice.stop().await
    }
}

/// Returns a connection with its own TCP connection, and with this access token if there is one. It repeats no call.
pub async fn connect(url: &str, access_token: Option<&str>) -> Result<Client> {
    let mut client = Client::builder(url).retry(RetryPolicy::never());
    if let Some(token) = access_token {
        client = client.token(token);
    }
    Ok(client.build().await?)
}

/// Returns the right request to sign in.
pub fn right_request() -> SignInRequest {
    SignInRequest {
        email: EMAIL.to_owned(),
        password: PASSWORD.to_owned(),
        ..Default::default()
    }
}

/// Starts a session of the person.
pub async fn sign_in(url: &str) -> Result<SessionTokens> {
    let client = connect(url, None).await?;
    let answer = AuthServiceClient::new(client.channel())
        .sign_in(right_request())
        .await?;
    answer
        .into_inner()
        .tokens
        .context("the answer contains no tokens")
}
