//! Calls every method that takes an id with the ids of another workspace.
//!
//! The instance has two workspaces, each with one resource of every type. The caller belongs to the second one. Each id
//! field of each method gets an unknown id, then each id of the first workspace. The answers must be equal, and no row
//! of the first workspace may change. PostgreSQL runs with row-level security, which must suffice if the rule `tenant`
//! is disabled.
//!
//! [`request`] finds the methods and fields in the contract. A new method needs an entry there only if its request has
//! other required fields, or if it does not answer NOT_FOUND.

mod call;
mod request;
mod rows;
mod tenant;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use protox::prost_reflect::{DescriptorPool, MethodDescriptor};
use sea_orm::{ConnectionTrait as _, EntityTrait as _};
use url::Url;
use vintedbot_domain::clock::SystemClock;
use vintedbot_domain::identity::operator::{self, NewUser};
use vintedbot_domain::identity::{Password, Role};
use vintedbot_domain::ids::{Ids as _, SystemIds};
use vintedbot_domain::store::Store;
use vintedbot_domain::store::entities::instance as instance_rows;
use vintedbot_proto::FILE_DESCRIPTOR_SET;
use vintedbot_proto::authorization::{METHODS, Method};
use vintedbot_sdk::Client;

use super::context::{self, PASSWORD};
use super::stage::SETTINGS;
use crate::bench::fixture;
use crate::instance::{Browser, Instance, Practice, Setup};
use crate::load::workspaces;
use crate::postgres::Postgres;
use crate::receiver::Receiver;
use tenant::{Connections, Tenant};

/// The rules that this proof can disable.
pub const RULES: [&str; 1] = ["tenant"];
/// The number of leaks that are printed.
const SHOWN: usize = 20;
/// The database user and the database on PostgreSQL. Policies do not apply to superusers.
const OWNER: &str = "tenancy";

/// The number of ids that were tried, and of those that leaked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Leaks {
    pub ids: usize,
    pub leaked: usize,
}

/// Tries all ids on SQLite, and unless this is a sample, on PostgreSQL with row-level security.
///
/// # Errors
///
/// Fails if an instance does not start, or if a method does not answer as expected to an unknown id.
pub async fn run(rule: &str, sample: bool, folder: &Path) -> Result<Leaks> {
    let on_sqlite = folder.join("tenancy-sqlite");
    let url = format!("sqlite://{}", on_sqlite.join("data/vintedbot.sqlite").display());
    let one = leaks("SQLite", &on_sqlite, &url, &[("FAILPOINTS", rule)]).await?;

    if sample {
        return Ok(one);
    }
    let postgres = Postgres::own().await?;
    let (superuser, owner) = database(&postgres).await?;
    let settings = [
        ("FAILPOINTS", rule),
        ("DATABASE_URL", owner.as_str()),
        ("ROW_LEVEL_SECURITY", "true"),
    ];
    let name = "PostgreSQL with row-level security";
    let other = leaks(name, &folder.join("tenancy-postgres"), &superuser, &settings).await?;
    postgres.stop().await?;
    Ok(Leaks {
        ids: one.ids + other.ids,
        leaked: one.leaked + other.leaked,
    })
}

/// Creates a database whose owner is no superuser. Returns its URLs for a superuser and for the owner.
async fn database(postgres: &Postgres) -> Result<(String, String)> {
    let store = fixture::store(&postgres.url()).await?;
    for statement in [
        format!("CREATE ROLE {OWNER} LOGIN"),
        format!("CREATE DATABASE {OWNER} OWNER {OWNER}"),
    ] {
        store.writer().execute_unprepared(&statement).await?;
    }
    let mut url = Url::parse(&postgres.url())?;
    url.set_path(OWNER);
    let superuser = url.to_string();
    ensure!(url.set_username(OWNER).is_ok(), "the URL takes no user");
    Ok((superuser, url.into()))
}

/// Starts an instance with these settings in `folder`, tries all ids, and prints the result. `url` is its database, as
/// this proof reads it.
async fn leaks(name: &str, folder: &Path, url: &str, settings: &[(&str, &str)]) -> Result<Leaks> {
    let stage = Stage::set(folder, url, settings).await?;
    let mut trial = Trial::default();
    let mut before = rows::at_rest(&stage.store, &stage.victim.workspace_id).await?;
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET)?;
    for method in METHODS {
        trial.try_method(&stage, method, &pool).await?;
        let after = rows::of_workspace(&stage.store, &stage.victim.workspace_id).await?;
        let tables = rows::changed(&before, &after);
        if !tables.is_empty() {
            trial
                .leaked
                .push(format!("{} changed {}", method.path, tables.join(", ")));
        }
        before = after;
    }
    stage.strike().await?;
    ensure!(
        trial.unexpected.is_empty(),
        "some methods did not look the unknown id up: {}",
        trial.unexpected.join("; ")
    );
    let found = Leaks {
        ids: trial.ids,
        leaked: trial.leaked.len(),
    };
    println!(
        "  ids of another workspace, {name}: {} ids, {} leaked",
        found.ids, found.leaked
    );
    for leak in trial.leaked.iter().take(SHOWN) {
        println!("    {leak}");
    }
    Ok(found)
}

/// An instance with two workspaces.
struct Stage {
    instance: Instance,
    practice: Practice,
    /// Receives the webhooks of both workspaces while it exists.
    _receiver: Receiver,
    store: Store,
    victim: Tenant,
    caller: Tenant,
    connections: Connections,
}

impl Stage {
    async fn set(folder: &Path, url: &str, settings: &[(&str, &str)]) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let practice = Practice::start(&folder.join("records.jsonl")).await?;
        let receiver = Receiver::open().await?;
        let own = [
            ("BROWSER_PACING", "0ms"),
            ("SYNC_NOW_PER_MINUTE", "1000"),
            ("PUBLISH_PER_MINUTE", "1000"),
            ("PEOPLE_REGISTRATION", "invitation"),
            ("WEBHOOK_ALLOWED_NETWORKS", "127.0.0.0/8"),
        ];
        let settings: Vec<_> = [&SETTINGS[..], &own[..], settings]
            .concat()
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let rule = settings.iter().find(|(name, _)| name == "FAILPOINTS").cloned();
        let mut instance = Instance::new(Setup {
            data_dir: folder.join("data"),
            practice_url: practice.site.url().to_owned(),
            browser: Browser::Off,
            settings,
        })?;
        // All rules hold while the workspaces are filled.
        instance.set("FAILPOINTS", "");
        instance.start().await?;
        instance.stop().await?;
        let store = fixture::store(url).await?;
        let other = workspaces::make(url, 1).await?.pop();
        instance.start().await?;
        let first = std::fs::read_to_string(instance.token_file())?;
        let mut victim = Tenant::of(&instance.url(), first.trim().to_owned(), "victim").await?;
        let other = other.context("no workspace was made")?;
        let mut caller = Tenant::of(&instance.url(), other, "caller").await?;
        for tenant in [&mut victim, &mut caller] {
            tenant
                .fill(&instance.url(), &practice.site, receiver.address)
                .await?;
        }
        instance.stop().await?;
        add_people(&store, folder, [&victim, &caller]).await?;
        quiet(&store, &victim, &caller).await?;
        if let Some((name, rule)) = rule {
            instance.set(&name, &rule);
        }
        instance.start().await?;
        victim.sign_in(&instance.url()).await?;
        let connections = caller.sign_in(&instance.url()).await?;
        Ok(Self {
            instance,
            practice,
            _receiver: receiver,
            store,
            victim,
            caller,
            connections,
        })
    }

    async fn strike(mut self) -> Result<()> {
        self.instance.stop().await?;
        self.practice.stop().await
    }
}

/// Creates the owner of each workspace.
async fn add_people(store: &Store, folder: &Path, tenants: [&Tenant; 2]) -> Result<()> {
    let row = instance_rows::Entity::find().one(store.reader()).await?;
    let id = row.context("there is no instance")?.id;
    let context = context::context(store.clone(), Arc::new(SystemClock), &id, folder)?;
    for tenant in tenants {
        let new = NewUser {
            email: tenant.email.clone(),
            display_name: tenant.email.clone(),
            password: Password::new(PASSWORD.to_owned()),
            role: Some(Role::Owner),
            workspace_id: tenant.workspace_id.clone(),
        };
        operator::create_user(&context, new).await?;
    }
    Ok(())
}

/// Stops the work of the worker for the victim, so that only calls change its rows, and brings the caller's reply in
/// doubt, so that the caller can resolve it.
async fn quiet(store: &Store, victim: &Tenant, caller: &Tenant) -> Result<()> {
    let (workspace, reply) = (&victim.workspace_id, caller.id("reply"));
    for statement in [
        "UPDATE schedules SET enabled = FALSE".to_owned(),
        format!("UPDATE accounts SET state = 'PAUSED', pause_time = 1 WHERE workspace_id = '{workspace}'"),
        format!("UPDATE replies SET state = 'UNCONFIRMED', requires_action = TRUE WHERE id = '{reply}'"),
        format!(
            "INSERT INTO effects (id, workspace_id, account_id, site, subject_id, kind, state, claim_epoch, \
             form_session_id, intent_time, not_after, reconcile_after, settle_until, known_remote_ids, \
             target_photo_ids) SELECT id, workspace_id, account_id, site, id, 'REPLY', 'UNCONFIRMED', 1, '', 1, 1, 1, \
             1, '[]', '[]' FROM replies WHERE id = '{reply}'"
        ),
    ] {
        store.writer().execute_unprepared(&statement).await?;
    }
    Ok(())
}

#[derive(Default)]
struct Trial {
    ids: usize,
    leaked: Vec<String>,
    /// Answers to unknown ids that are not the expected ones.
    unexpected: Vec<String>,
}

impl Trial {
    async fn try_method(&mut self, stage: &Stage, method: &Method, pool: &DescriptorPool) -> Result<()> {
        let (name, descriptor) = described(pool, method.path)?;
        let request = descriptor.input();
        for field in request::id_fields(&request) {
            let encode = |id: &str| request::with_id(&request, name, &stage.caller, &field, id);
            let call = async |id: &str| {
                let (client, request) = (client(stage, method), encode(id)?);
                let answer = if descriptor.is_server_streaming() {
                    call::watch(client, method.path, request).await
                } else {
                    call::unary(client, method.path, request).await
                };
                anyhow::Ok(answer.without(id))
            };
            let place = format!("{name} {}", field.name());
            let unknown = call(&SystemIds.id()).await?;
            if unknown.code != request::expected(name, &field.name()) {
                self.unexpected
                    .push(format!("{place}: {:?} {}", unknown.code, unknown.text));
                continue;
            }
            for (of, id) in &stage.victim.ids {
                self.ids += 1;
                let answer = call(id).await?;
                let shows = stage.victim.ids.values().any(|own| answer.text.contains(own));
                if answer != unknown || shows {
                    self.leaked.push(format!(
                        "{place}, id of {of}: {:?} {}",
                        answer.code, answer.reason
                    ));
                }
            }
        }
        Ok(())
    }
}

/// Returns the connection that may call a method.
fn client<'a>(stage: &'a Stage, method: &Method) -> &'a Client {
    if method.scopes == ["person"] {
        &stage.connections.person
    } else {
        &stage.connections.token
    }
}

/// Finds a method by its path. Returns its name, such as `AuthService/GetMe`, and its description.
fn described<'a>(pool: &DescriptorPool, path: &'a str) -> Result<(&'a str, MethodDescriptor)> {
    let name = path.trim_start_matches('/');
    let (service, method) = name.split_once('/').context("a path has a service")?;
    let service = pool
        .get_service_by_name(service)
        .context("a service is missing")?;
    let descriptor = service.methods().find(|one| one.name() == method);
    let (_, name) = name.rsplit_once('.').context("a service has a package")?;
    Ok((name, descriptor.context("a method is missing")?))
}
