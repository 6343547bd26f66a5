//! An instance in memory with a clock that only moves when a test advances it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use sea_orm::ConnectionTrait;
use tempfile::TempDir;
use vintedbot_domain::accounts::{self, Account, Mode, NewAccount};
use vintedbot_domain::catalog::Catalogs;
use vintedbot_domain::clock::{Clock, Millis};
use vintedbot_domain::events::{self, Event, Feed};
use vintedbot_domain::identity::{self, Caller, Mail, Mailer, People};
use vintedbot_domain::ids::SystemIds;
use vintedbot_domain::instance;
use vintedbot_domain::jobs::JobNotifier;
use vintedbot_domain::keys::Keys;
use vintedbot_domain::listings::{self, Listing, ListingInput, NewListing};
use vintedbot_domain::media::files::PhotoFiles;
use vintedbot_domain::media::{self, NewPhoto, Photo, pipeline};
use vintedbot_domain::paging::PageRequest;
use vintedbot_domain::settings::Settings;
use vintedbot_domain::{Context, Error, Reason, store};
use vintedbot_marketplace::catalog::{Brand, Catalog, Category, CategoryFields, FieldRule, SizeGroup};
use vintedbot_marketplace::limits::Limits;
use vintedbot_marketplace::{Language, Named};

/// The time at which every test begins.
pub const START: Millis = 1_763_700_000_000;

#[derive(Debug, Default)]
pub struct TestClock(AtomicI64);

impl TestClock {
    pub fn advance(&self, milliseconds: Millis) {
        self.0.fetch_add(milliseconds, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Millis {
        START + self.0.load(Ordering::SeqCst)
    }

    fn since_boot(&self) -> Millis {
        self.0.load(Ordering::SeqCst)
    }
}

/// A mailer that remembers what it was given.
#[derive(Debug, Default)]
pub struct Mails(Mutex<Vec<Mail>>);

#[async_trait::async_trait]
impl Mailer for Mails {
    async fn send(&self, mail: Mail) -> Result<(), String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(mail);
        Ok(())
    }
}

impl Mails {
    /// Waits for the next mail and takes it.
    pub async fn next(&self) -> Mail {
        for _ in 0..1_000 {
            if let Some(mail) = self.take() {
                return mail;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("there is no mail");
    }

    fn take(&self) -> Option<Mail> {
        let mut mails = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (!mails.is_empty()).then(|| mails.remove(0))
    }

    /// Returns whether no mail waits.
    pub fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

/// An instance and the caller of its first workspace, who has every scope.
pub struct World {
    pub context: Context,
    pub caller: Caller,
    pub clock: Arc<TestClock>,
    pub secret: String,
    pub mails: Arc<Mails>,
    _folder: TempDir,
}

impl World {
    pub async fn new() -> Self {
        Self::on("sqlite::memory:").await
    }

    /// Opens a world in the given database, which no other test uses.
    pub async fn on(database_url: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = Arc::new(TestClock::default());
        let store = store::connect(database_url, clock.clone(), Arc::new(SystemIds))
            .await
            .expect("opens");
        vintedbot_migrations::run_locked(store.writer())
            .await
            .expect("migrates");
        let started = instance::start(&store, folder.path(), "0.1.0", "0.1.0")
            .await
            .expect("starts");
        let mails = Arc::new(Mails::default());
        let context = Context {
            people: Arc::new(People::new(
                &started.instance_id,
                "https://bot.example",
                mails.clone(),
            )),
            store,
            keys: Arc::new(Keys::new([7; 32])),
            files: Arc::new(PhotoFiles::open(&folder.path().join("media")).expect("opens")),
            clock: clock.clone(),
            ids: Arc::new(SystemIds),
            settings: Arc::new(settings()),
            limits: Arc::new(Limits::embedded().clone()),
            photo_limits: Arc::new(pipeline::Limits {
                max_side: 256,
                ..pipeline::Limits::default()
            }),
            catalogs: Catalogs::default(),
            feed: Feed::default(),
            notifier: JobNotifier::default(),
            log_epoch: started.log_epoch.clone().into(),
        };
        let secret = identity::first_token(&context, &started.workspace_id)
            .await
            .expect("a first token");
        let secret = secret.expose().to_owned();
        let caller = identity::authenticate(&context, Some(&secret))
            .await
            .expect("is known");
        Self {
            context,
            caller,
            clock,
            secret,
            mails,
            _folder: folder,
        }
    }

    /// Opens a world with the practice site's catalogue and an account on that site.
    pub async fn with_account() -> (Self, Account) {
        Self::with_account_on("sqlite::memory:").await
    }

    /// Does the same as [`with_account`](Self::with_account) in the given database.
    pub async fn with_account_on(database_url: &str) -> (Self, Account) {
        let world = Self::on(database_url).await;
        world
            .context
            .catalogs
            .save(&world.context.store, "practice", catalog())
            .await
            .expect("is saved");
        let account = world.account("Shop").await;
        (world, account)
    }

    pub async fn account(&self, name: &str) -> Account {
        accounts::create(&self.context, &self.caller, new_account(name))
            .await
            .expect("an account")
    }

    /// Records the account's member on the practice site. `false`: the account works on another site by now.
    pub async fn set_member(&self, account_id: &str, member_id: &'static str) -> bool {
        let id = account_id.to_owned();
        let recorded = self.context.store.write(move |tx| {
            let id = id.clone();
            async move { accounts::record_member(tx, &id, "practice", member_id, "sophie").await }.boxed()
        });
        recorded.await.expect("writes")
    }

    pub async fn listing(&self, account: &Account, input: ListingInput) -> Listing {
        self.try_listing(account, input).await.expect("a listing")
    }

    pub async fn try_listing(&self, account: &Account, listing: ListingInput) -> Result<Listing, Error> {
        let new = NewListing {
            account_id: account.id.clone(),
            listing,
            request_id: None,
        };
        listings::create(&self.context, &self.caller, new).await
    }

    pub async fn photo(&self, seed: u32) -> Photo {
        media::upload(&self.context, &self.caller, picture(seed), None)
            .await
            .expect("a photo")
            .photo
    }

    /// Returns a caller of another workspace in the same database.
    pub async fn stranger(&self) -> Caller {
        let id = self.context.ids.id();
        for statement in [
            format!("INSERT INTO workspaces (id, name, create_time) VALUES ('{id}', 'stranger', 0)"),
            format!("INSERT INTO event_heads (workspace_id, sequence, floor) VALUES ('{id}', 0, 0)"),
        ] {
            self.context
                .store
                .writer()
                .execute_unprepared(&statement)
                .await
                .expect("is written");
        }
        let secret = identity::first_token(&self.context, &id).await.expect("a token");
        identity::authenticate(&self.context, Some(secret.expose()))
            .await
            .expect("is known")
    }

    /// Returns all events of the caller's workspace.
    pub async fn events(&self) -> Vec<Event> {
        events::read(&self.context.store, &self.caller.workspace_id, 0, 1000)
            .await
            .expect("the log")
            .events
    }
}

pub fn new_account(name: &str) -> NewAccount {
    NewAccount {
        display_name: name.to_owned(),
        market: "fr".to_owned(),
        language: String::new(),
        mode: Some(Mode::Mock),
        request_id: None,
        second_account_acknowledged: true,
    }
}

pub fn page(size: i32, token: &str) -> PageRequest {
    PageRequest {
        size,
        token: token.to_owned(),
    }
}

pub fn request_id() -> Option<String> {
    Some(vintedbot_domain::ids::Ids::id(&SystemIds))
}

/// Returns a picture that is different for every `seed`.
pub fn picture(seed: u32) -> NewPhoto {
    let mixed = |at: u32| {
        seed.wrapping_mul(0x9E37_79B9)
            .wrapping_add(at.wrapping_mul(0x85EB_CA6B))
            .rotate_left(13)
    };
    let scene = RgbImage::from_fn(160, 120, |x, y| {
        let cell = mixed(x / 20 + 8 * (y / 20) + 1).wrapping_mul(0xC2B2_AE35) >> 24;
        Rgb([cell as u8, (cell / 2) as u8, 255 - cell as u8])
    });
    NewPhoto {
        bytes: png(scene),
        file_name: format!("{seed}.png"),
    }
}

/// Returns the same picture, slightly brighter.
pub fn brighter(photo: &NewPhoto) -> NewPhoto {
    let scene = image::load_from_memory(&photo.bytes)
        .expect("a picture")
        .brighten(6)
        .to_rgb8();
    NewPhoto {
        bytes: png(scene),
        file_name: "brighter.png".to_owned(),
    }
}

fn png(picture: RgbImage) -> bytes::Bytes {
    let mut out = std::io::Cursor::new(Vec::new());
    DynamicImage::from(picture)
        .write_to(&mut out, ImageFormat::Png)
        .expect("encodes");
    out.into_inner().into()
}

pub fn reason<T: std::fmt::Debug>(result: Result<T, Error>) -> Option<Reason> {
    result.expect_err("a refusal").reason()
}

/// Returns the fields that the violations of a refused call name.
pub fn violated<T: std::fmt::Debug>(result: Result<T, Error>) -> Vec<String> {
    match result.expect_err("violations") {
        Error::Invalid(violations) | Error::Incomplete(violations) => {
            violations.into_iter().map(|violation| violation.field).collect()
        }
        other => panic!("no violations: {other}"),
    }
}

/// Returns a small catalogue in French with "Sweats" below both men and women.
pub fn catalog() -> Catalog {
    let named = |list: &[(i64, &str)]| {
        list.iter()
            .map(|(id, name)| Named {
                id: *id,
                name: (*name).to_owned(),
            })
            .collect()
    };
    let rule = |required, selection_limit, options: &[i64]| {
        Some(FieldRule {
            required,
            selection_limit,
            options: options.to_vec(),
        })
    };
    let clothes = CategoryFields {
        brand: rule(false, 1, &[]),
        size: rule(true, 1, &[2]),
        condition: rule(true, 1, &[]),
        color: rule(false, 2, &[]),
        material: rule(false, 3, &[]),
        package_size: rule(true, 1, &[]),
    };
    let book = CategoryFields {
        condition: rule(true, 1, &[]),
        package_size: rule(true, 1, &[]),
        ..CategoryFields::default()
    };
    let place = |id, parent_id, name: &str, fields| Category {
        id,
        parent_id,
        name: name.to_owned(),
        fields,
    };
    Catalog {
        language: Language::Fr,
        categories: vec![
            place(1, None, "Femmes", None),
            place(2, None, "Hommes", None),
            place(11, Some(1), "Sweats", Some(clothes.clone())),
            place(21, Some(2), "Sweats", Some(clothes)),
            place(22, Some(2), "Livres", Some(book)),
        ],
        brands: vec![
            Brand {
                id: 53,
                name: "Nike".to_owned(),
                needs_authenticity_check: false,
            },
            Brand {
                id: 54,
                name: "Nike ACG".to_owned(),
                needs_authenticity_check: false,
            },
        ],
        colors: named(&[(1, "Noir"), (2, "Bleu"), (3, "Bleu clair"), (4, "Rouge")]),
        size_groups: vec![SizeGroup {
            id: 2,
            name: "Taille".to_owned(),
            sizes: named(&[(206, "S"), (207, "M"), (208, "L")]),
        }],
        conditions: named(&[(6, "Neuf avec étiquette"), (2, "Très bon état"), (3, "Bon état")]),
        materials: named(&[(44, "Coton"), (45, "Laine")]),
        package_sizes: named(&[(1, "Petit"), (2, "Moyen"), (3, "Grand")]),
    }
}

fn settings() -> Settings {
    let mut settings: Settings =
        toml::from_str(include_str!("../../../config.default.toml")).expect("the default settings");
    settings.timezone = "Europe/Paris".to_owned();
    settings.confirm_token_ms = 600_000;
    settings.signed_url_ms = 600_000;
    settings.effects.request_timeout_ms = 20_000;
    settings.jobs.lease_ms = 30_000;
    settings.jobs.backoff_ms = 1_000;
    settings.jobs.backoff_max_ms = 60_000;
    settings.jobs.max_claims = 5;
    settings.jobs.max_failures = 5;
    settings
}
