//! The domain in this process: its context on a database, and a person who can sign in.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use sea_orm::EntityTrait as _;
use vintedbot_domain::Context;
use vintedbot_domain::catalog::Catalogs;
use vintedbot_domain::clock::{Clock, SystemClock};
use vintedbot_domain::events::Feed;
use vintedbot_domain::identity::operator::{self, NewUser};
use vintedbot_domain::identity::{Mail, Mailer, Password, People, Role};
use vintedbot_domain::ids::SystemIds;
use vintedbot_domain::jobs::JobNotifier;
use vintedbot_domain::keys::Keys;
use vintedbot_domain::media::{files::PhotoFiles, pipeline};
use vintedbot_domain::settings::Settings;
use vintedbot_domain::store::Store;
use vintedbot_domain::store::entities::{instance, workspaces};
use vintedbot_marketplace::limits::Limits;

use crate::bench::fixture;

/// The key of every instance of this proof, so that this process can act on the instance's database.
pub const ENCRYPTION_KEY: &str = "7777777777777777777777777777777777777777777777777777777777777777";
/// The person of [`add_person`].
pub const EMAIL: &str = "anna@example.org";
pub const PASSWORD: &str = "umbra-91-larkspur-vT7";

/// Builds the context of an instance on its open database. Photo files would be stored in `folder`.
pub fn context(store: Store, clock: Arc<dyn Clock>, instance_id: &str, folder: &Path) -> Result<Context> {
    let mut settings: Settings = toml::from_str(include_str!("../../../config.default.toml"))?;
    // All calls of a proof come from one address, and many of them fail on purpose.
    settings.people.failures_per_account = 1_000_000;
    settings.people.failures_per_address = 1_000_000;
    Ok(Context {
        store,
        keys: Arc::new(Keys::from_setting(ENCRYPTION_KEY)?),
        files: Arc::new(PhotoFiles::open(&folder.join("media"))?),
        clock,
        ids: Arc::new(SystemIds),
        settings: Arc::new(settings),
        limits: Arc::new(Limits::embedded().clone()),
        photo_limits: Arc::new(pipeline::Limits::default()),
        catalogs: Catalogs::default(),
        feed: Feed::default(),
        notifier: JobNotifier::default(),
        log_epoch: "".into(),
        people: Arc::new(People::new(instance_id, String::new(), Arc::new(NoMail))),
    })
}

/// Creates an owner of the instance's workspace.
pub async fn add_person(context: &Context) -> Result<()> {
    let workspace = workspaces::Entity::find().one(context.store.reader()).await?;
    let new = NewUser {
        email: EMAIL.to_owned(),
        display_name: "Anna".to_owned(),
        password: Password::new(PASSWORD.to_owned()),
        role: Some(Role::Owner),
        workspace_id: workspace.context("there is no workspace")?.id,
    };
    operator::create_user(context, new).await?;
    Ok(())
}

/// Creates an owner in the database of an instance that the real program created. The program may be running.
pub async fn add_person_at(database_url: &str, folder: &Path) -> Result<()> {
    let store = fixture::store(database_url).await?;
    let row = instance::Entity::find().one(store.reader()).await?;
    let instance_id = row.context("there is no instance")?.id;
    add_person(&context(store, Arc::new(SystemClock), &instance_id, folder)?).await
}

/// Drops all mail. The people of this proof need none.
#[derive(Debug)]
pub struct NoMail;

#[async_trait]
impl Mailer for NoMail {
    async fn send(&self, _: Mail) -> std::result::Result<(), String> {
        Ok(())
    }
}
