//! A practice site for one test, with a connector and test content.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use vintedbot_connector::{BrowserConfig, Config, Connector, Pacing};
use vintedbot_domain::clock::{Clock as _, SystemClock};
use vintedbot_marketplace::catalog::CatalogIndex;
use vintedbot_marketplace::challenge::Detector;
use vintedbot_marketplace::selectors::Selectors;
use vintedbot_marketplace::{
    AccountContext, FillStep, ItemContent, Language, ListingFormRequest, Marketplace, Money, Named, Permit,
    PhotoFile, StepObserver, Stopped, TimelineStep,
};
use vintedbot_practice::{Practice, Running};

pub struct Site {
    running: Running,
    folder: TempDir,
    attempts: AtomicU64,
}

impl Site {
    pub async fn start() -> Self {
        let config = vintedbot_practice::Config {
            visible_delay_ms: 0,
            ..Default::default()
        };
        let addr = SocketAddr::from(([127, 0, 0, 1], 0));
        let running = Practice::bind(addr, config).await.expect("a free port");
        Self {
            running,
            folder: TempDir::new().expect("a temporary folder"),
            attempts: AtomicU64::new(0),
        }
    }

    fn connector(&self, browser: Option<BrowserConfig>, selectors: Selectors) -> Connector {
        self.connector_within(browser, selectors, Duration::from_secs(10))
    }

    fn connector_within(
        &self,
        browser: Option<BrowserConfig>,
        selectors: Selectors,
        request_timeout: Duration,
    ) -> Connector {
        let numbers = AtomicU64::new(7);
        Connector::new(Config {
            practice_url: Some(
                format!("http://{}", self.running.local_addr())
                    .parse()
                    .expect("an address"),
            ),
            browser,
            selectors: Arc::new(selectors),
            detector: Arc::new(Detector::embedded().clone()),
            pacing: Pacing::NONE,
            random: Arc::new(move || numbers.fetch_add(0x9E37_79B9, Ordering::Relaxed)),
            request_timeout,
            sessions: None,
            proxy: None,
            clock: Arc::new(|| SystemClock.now()),
            attempt_time: Duration::from_secs(60),
        })
        .expect("the site is on this machine")
    }

    pub fn plain(&self) -> Connector {
        self.connector(None, Selectors::embedded().clone())
    }

    /// Returns a connector with this request timeout.
    pub fn with_request_timeout(&self, request_timeout: Duration) -> Connector {
        self.connector_within(None, Selectors::embedded().clone(), request_timeout)
    }

    pub fn browser(&self) -> Connector {
        self.browser_with(Selectors::embedded().clone())
    }

    pub fn browser_with(&self, selectors: Selectors) -> Connector {
        self.connector(Some(chromium()), selectors)
    }

    /// Returns a connector with another browser configuration.
    pub fn browser_as(&self, browser: BrowserConfig) -> Connector {
        self.connector(Some(browser), Selectors::embedded().clone())
    }

    /// Sets how the site renders pages for the member of an account context.
    pub async fn pages(&self, account_context: &AccountContext, pages: Value) {
        let member = json!({ "login": account_context.practice_login, "language": account_context.language.code(), "pages": pages });
        self.admin("POST", "members", member).await;
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.running.local_addr())
    }

    pub fn request(&self, content: ItemContent, photos: Vec<PhotoFile>) -> ListingFormRequest {
        ListingFormRequest {
            work_dir: self.work_dir(),
            content,
            photos,
            keeps_photos: false,
        }
    }

    pub fn work_dir(&self) -> PathBuf {
        self.folder.path().join(format!(
            "attempt-{}",
            self.attempts.fetch_add(1, Ordering::Relaxed)
        ))
    }

    /// Calls the site's admin API. Uses no HTTP client, so that it shares nothing with the code under test.
    pub async fn admin(&self, method: &str, path: &str, body: Value) -> Value {
        let body = body.to_string();
        let request = format!(
            "{method} /_practice/{path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.running.local_addr(),
            body.len()
        );
        let mut stream = TcpStream::connect(self.running.local_addr())
            .await
            .expect("the site is there");
        stream
            .write_all(request.as_bytes())
            .await
            .expect("the request is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer comes");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
        serde_json::from_str(body).expect("JSON")
    }

    pub async fn script(&self, rule: Value) {
        self.admin("POST", "script", rule).await;
    }

    pub async fn records(&self, kind: &str) -> Vec<Value> {
        let Value::Array(all) = self.admin("GET", "records", json!(null)).await else {
            panic!("a list")
        };
        all.into_iter().filter(|record| record["kind"] == kind).collect()
    }
}

pub fn chromium() -> BrowserConfig {
    let found = BrowserConfig::find(None, None, true).expect("nothing is named");
    BrowserConfig {
        host: env!("CARGO_BIN_EXE_driver-host").into(),
        ..found.expect("Chromium and chromedriver are installed")
    }
}

pub fn account_context(language: Language) -> AccountContext {
    AccountContext {
        account_id: "account-1".to_owned(),
        site: "practice".to_owned(),
        language,
        practice_login: format!("marie_{}", language.code()),
        lock: None,
    }
}

pub fn photos(count: u8) -> Vec<PhotoFile> {
    let photo = |n: u8| {
        let picture = RgbImage::from_pixel(640, 480, Rgb([40 * n, 90, 200]));
        let mut bytes = Vec::new();
        JpegEncoder::new(&mut bytes)
            .encode_image(&picture)
            .expect("an encoder in memory");
        let sha256 = Sha256::digest(&bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        PhotoFile {
            sha256,
            content_type: "image/jpeg".to_owned(),
            bytes: Bytes::from(bytes),
        }
    };
    (1..=count).map(photo).collect()
}

/// Returns an item in men's sweatshirts, with a value in every field that the site requires.
pub async fn content(
    connector: &Connector,
    account_context: &AccountContext,
    photos: &[PhotoFile],
) -> ItemContent {
    let index = CatalogIndex::new(
        connector
            .catalog(account_context)
            .await
            .expect("the catalog is read"),
    );
    let leaf = index.leaves(5).into_iter().map(|leaf| leaf.id).find(|id| {
        let fields = index.fields(*id).expect("a leaf has fields");
        fields.size.is_some() && fields.material.is_some()
    });
    let leaf = leaf.expect("men's clothing has sizes and materials");
    let named = |list: Vec<&Named>, at: usize| list[at].clone();
    let brand = index.search_brands("nike", 1).first().map(|brand| Named {
        id: brand.id,
        name: brand.name.clone(),
    });
    ItemContent {
        title: "Sweat gris chiné, taille M".to_owned(),
        description: "Porté deux fois.\nLavé à 30°, sans \"peluches\" – coton épais \u{1f9f6}.".to_owned(),
        price: Money {
            minor_units: 2950,
            currency: "EUR".to_owned(),
        },
        category: index.choice(leaf).expect("the leaf is there"),
        brand: Some(brand.expect("the brand is known")),
        size: Some(index.size_groups(leaf)[0].sizes[2].clone()),
        condition: Some(named(index.conditions(leaf), 3)),
        colors: vec![named(index.colors(leaf), 4), named(index.colors(leaf), 0)],
        materials: vec![named(index.materials(leaf), 1)],
        package_size: Some(named(index.package_sizes(leaf), 1)),
        photo_sha256s: photos.iter().map(|photo| photo.sha256.clone()).collect(),
    }
}

/// Returns the first field of a site record that differs from the approved content, by id.
pub fn difference(record: &Value, content: &ItemContent) -> Option<String> {
    let one = |choice: &Option<Named>| json!(choice.as_ref().map(|choice| choice.id));
    let many = |choices: &[Named]| {
        let mut ids: Vec<i64> = choices.iter().map(|choice| choice.id).collect();
        ids.sort_unstable();
        json!(ids)
    };
    let sorted = |name: &str| {
        let mut ids: Vec<i64> = record[name]
            .as_array()
            .map(|all| all.iter().filter_map(Value::as_i64).collect())
            .unwrap_or_default();
        ids.sort_unstable();
        json!(ids)
    };
    let expected = [
        ("title", json!(content.title)),
        ("description", json!(content.description)),
        ("price_minor", json!(content.price.minor_units)),
        ("catalog_id", json!(content.category.id)),
        ("brand_id", one(&content.brand)),
        ("size_id", one(&content.size)),
        ("status_id", one(&content.condition)),
        ("color_ids", many(&content.colors)),
        ("material_ids", many(&content.materials)),
        ("package_size_id", one(&content.package_size)),
        ("photo_sha256s", json!(content.photo_sha256s)),
    ];
    expected.into_iter().find_map(|(name, expected)| {
        let seen = if name.ends_with("_ids") {
            sorted(name)
        } else {
            record[name].clone()
        };
        (seen != expected).then(|| format!("{name}: {seen} where {expected} was approved"))
    })
}

/// Records the steps that it receives, and may stop at one of them.
#[derive(Default)]
pub struct Steps {
    pub reached: Mutex<Vec<FillStep>>,
    pub frames: Mutex<Vec<TimelineStep>>,
    pub stop_at: Option<FillStep>,
}

#[async_trait]
impl StepObserver for Steps {
    async fn reached(&self, timeline_step: TimelineStep) -> Result<(), Stopped> {
        let step = timeline_step.step;
        self.reached.lock().await.push(step);
        self.frames.lock().await.push(timeline_step);
        if self.stop_at == Some(step) {
            Err(Stopped("the test stops here".to_owned()))
        } else {
            Ok(())
        }
    }
}

pub struct Allowed;

impl Permit for Allowed {
    fn still_valid(&self) -> bool {
        true
    }
}

pub struct Forbidden;

impl Permit for Forbidden {
    fn still_valid(&self) -> bool {
        false
    }
}
