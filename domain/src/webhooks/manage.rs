//! `CreateEndpoint`, `GetEndpoint`, `ListEndpoints`, `UpdateEndpoint`, `DeleteEndpoint`.

use futures::FutureExt;
use sea_orm::sea_query::Query;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect,
};
use serde::Serialize;

use super::secret::{Secret, Secrets};
use super::{Endpoint, EndpointState, Targets, address, token, types};
use crate::events::{Kind, PendingEvent};
use crate::identity::{Caller, links};
use crate::keys::sha256_hex;
use crate::paging::{self, Order, Page, PageRequest, Place, Window};
use crate::store::Tx;
use crate::store::entities::webhook_endpoints::{Column, Entity, Model};
use crate::store::entities::{event_heads, webhook_attempts, webhook_deliveries};
use crate::{Domain, Error, Reason, Result, Violation, accounts, is_plain, requests};

/// The longest address, in bytes, and the longest description, in characters.
const URL_MAX: usize = 2_000;
const DESCRIPTION_MAX: usize = 500;
/// Endpoints of one owner: each event is written down for every one of them.
const ENDPOINTS_MAX: u64 = 100;

/// What a person decides about an endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EndpointInput {
    pub url: String,
    pub description: String,
    pub event_types: Vec<String>,
    pub ordered: bool,
}

/// An endpoint that is to be made.
#[derive(Clone, Debug)]
pub struct NewEndpoint {
    pub endpoint: EndpointInput,
    /// The caller's own; absent: one is made.
    pub secret: Option<String>,
    pub request_id: Option<String>,
}

/// An endpoint, and its secret where that is new.
#[derive(Clone, Debug)]
pub struct CreatedEndpoint {
    pub endpoint: Endpoint,
    /// Shown this once. Absent in the answer to a repeated call.
    pub secret: Option<Secret>,
}

/// A change of an endpoint.
#[derive(Clone, Debug, Default, Serialize)]
pub struct UpdateEndpoint {
    pub id: String,
    pub endpoint: EndpointInput,
    /// Names of fields. Empty: those that are not empty above.
    pub mask: Vec<String>,
    pub expected_sequence: Option<i64>,
    #[serde(skip)]
    pub request_id: Option<String>,
}

const CREATE: &str = "CreateEndpoint";
const UPDATE: &str = "UpdateEndpoint";
const DELETE: &str = "DeleteEndpoint";

/// Makes an endpoint, which is sent what happens from now on and what its maker may read.
///
/// # Errors
/// All violations at once; WEBHOOK_ADDRESS_REFUSED, TOO_MANY_WEBHOOK_ENDPOINTS.
pub async fn create(
    domain: &Domain,
    caller: &Caller,
    targets: &dyn Targets,
    new: NewEndpoint,
) -> Result<CreatedEndpoint> {
    let mut violations = Vec::new();
    let mut input = new.endpoint;
    for field in ["url", "description", "event_types"] {
        check(field, &mut input, &mut violations);
    }
    let given = own_secret(new.secret.as_deref(), &mut violations);
    if !violations.is_empty() {
        return Err(Error::Invalid(violations));
    }
    let parameters = (input.clone(), new.secret.map(sha256_hex));
    let owner_id = caller.owner_id.as_str();
    let request_id = new.request_id;
    let known = requests::find(
        domain.store.reader(),
        owner_id,
        request_id.as_deref(),
        CREATE,
        &parameters,
    );
    if known.await?.is_none() {
        lead_there(targets, &input.url).await?;
    }
    let secret = given.unwrap_or_else(|| Secret::generate(domain));
    let id = domain.ids.id();
    let sealed = Secrets::new(&secret).seal(domain, owner_id, &id)?;
    let mut row = Model {
        id,
        owner_id: owner_id.to_owned(),
        url: String::new(),
        description: input.description,
        event_types: serde_json::to_string(&input.event_types)?,
        scopes: serde_json::to_string(&caller.scopes)?,
        ordered: input.ordered,
        state: EndpointState::Enabled,
        disable_reason: None,
        message: None,
        secrets: sealed,
        old_secret_expire_time: None,
        log_position: 0,
        failing_since: None,
        create_time: 0,
        update_time: 0,
        sequence: 0,
        token_id: Some(caller.token_id.clone()),
        sealed_query: None,
    };
    address::set(domain, &mut row, &input.url)?;
    let token_id = caller.token_id.clone();
    let (id, is_new) = domain
        .store
        .write(move |tx| {
            let (mut row, parameters, request_id) = (row.clone(), parameters.clone(), request_id.clone());
            let token_id = token_id.clone();
            async move {
                let request_id = request_id.as_deref();
                if let Some(id) = requests::check(tx, &row.owner_id, request_id, CREATE, &parameters).await? {
                    return Ok((id, false));
                }
                links::lock_live(tx, &row.owner_id, &token_id).await?;
                // Its lock has those who make endpoints wait for each other, so that all of them are counted.
                let head = tx
                    .locked(event_heads::Entity::find_by_id(row.owner_id.as_str()))
                    .one(tx)
                    .await?;
                let endpoints = Entity::find().filter(Column::OwnerId.eq(row.owner_id.as_str()));
                if endpoints.count(tx).await? >= ENDPOINTS_MAX {
                    let message = format!("{ENDPOINTS_MAX} webhook endpoints at most; delete one first");
                    return Err(Error::rejected(Reason::TooManyWebhookEndpoints, message)
                        .with("max_endpoints", ENDPOINTS_MAX.to_string()));
                }
                row.log_position = head.map_or(0, |head| head.sequence);
                row.create_time = tx.now().await?;
                row.update_time = row.create_time;
                Entity::insert(row.clone().into_active_model())
                    .exec_without_returning(tx)
                    .await?;
                let (owner_id, id) = (row.owner_id.clone(), row.id.clone());
                tx.emit(PendingEvent::changed(
                    Kind::WebhookEndpointCreated,
                    &Endpoint::from(row),
                )?);
                requests::remember(tx, &owner_id, request_id, CREATE, &parameters, &id).await?;
                Ok((id, true))
            }
            .boxed()
        })
        .await?;
    Ok(CreatedEndpoint {
        endpoint: get(domain, caller, &id).await?,
        secret: is_new.then_some(secret),
    })
}

/// The caller's endpoints, newest first.
pub async fn list(domain: &Domain, caller: &Caller, page: &PageRequest) -> Result<Page<Endpoint>> {
    let method = (caller.owner_id.as_str(), "ListEndpoints");
    let window = Window::<Place>::open(&domain.keys, paging::RESOURCES, method, &(), page)?;
    let mut query = Entity::find().filter(Column::OwnerId.eq(caller.owner_id.as_str()));
    if let Some(condition) = window.condition(Column::CreateTime, Column::Id, Order::NewestFirst) {
        query = query.filter(condition);
    }
    let rows = query
        .order_by_desc(Column::CreateTime)
        .order_by_desc(Column::Id)
        .limit(window.to_read())
        .all(domain.store.reader())
        .await?;
    let endpoints = rows.into_iter().map(Endpoint::from).collect();
    window.close(&domain.keys, endpoints, |one: &Endpoint| {
        (one.create_time, one.id.clone())
    })
}

/// One endpoint of the caller.
pub async fn get(domain: &Domain, caller: &Caller, id: &str) -> Result<Endpoint> {
    let row = Entity::find_by_id(id)
        .filter(Column::OwnerId.eq(caller.owner_id.as_str()))
        .one(domain.store.reader())
        .await?;
    row.map(Endpoint::from).ok_or_else(|| not_found(id))
}

/// Changes an endpoint. A new address is told no more than whoever names it may read, and sends in that token's name. The
/// address as it is shown is the one that it has.
///
/// # Errors
/// As `create`; RESOURCE_CHANGED.
pub async fn update(
    domain: &Domain,
    caller: &Caller,
    targets: &dyn Targets,
    mut update: UpdateEndpoint,
) -> Result<Endpoint> {
    let fields = fields(&mut update)?;
    if fields.contains(&"url") {
        lead_there(targets, &update.endpoint.url).await?;
    }
    let (inner, caller_, id) = (domain.clone(), caller.clone(), update.id.clone());
    domain
        .store
        .write(move |tx| {
            let (domain, caller, update, fields) =
                (inner.clone(), caller_.clone(), update.clone(), fields.clone());
            async move {
                let owner_id = caller.owner_id.as_str();
                let request_id = update.request_id.as_deref();
                if requests::check(tx, owner_id, request_id, UPDATE, &update)
                    .await?
                    .is_some()
                {
                    return Ok(());
                }
                if fields.contains(&"url") {
                    links::lock_live(tx, owner_id, &caller.token_id).await?;
                }
                let row = load(tx, owner_id, &update.id).await?;
                if update
                    .expected_sequence
                    .is_some_and(|expected| expected != row.sequence)
                {
                    return Err(accounts::changed("webhook endpoint", row.sequence));
                }
                let mut changed = row.clone();
                let input = &update.endpoint;
                for field in fields {
                    match field {
                        "url" if input.url != row.url && input.url != address::open(&domain, &row)? => {
                            address::set(&domain, &mut changed, &input.url)?;
                            changed.failing_since = None;
                            token::take(&mut changed, &caller)?;
                        }
                        "description" => changed.description.clone_from(&input.description),
                        "event_types" => changed.event_types = serde_json::to_string(&input.event_types)?,
                        "ordered" => changed.ordered = input.ordered,
                        _ => {}
                    }
                }
                if changed != row {
                    save(tx, changed, Kind::WebhookEndpointUpdated).await?;
                }
                requests::remember(tx, owner_id, request_id, UPDATE, &update, &update.id).await
            }
            .boxed()
        })
        .await?;
    get(domain, caller, &id).await
}

/// Removes an endpoint with everything that was or is to be sent to it.
pub async fn delete(domain: &Domain, caller: &Caller, id: &str, request_id: Option<String>) -> Result<()> {
    requests::once(domain, caller, DELETE, id, request_id, |tx, owner_id, id| {
        async move {
            let row = load(tx, owner_id, id).await?;
            let of_it = webhook_deliveries::Column::EndpointId.eq(id);
            let deliveries = Query::select()
                .column(webhook_deliveries::Column::Id)
                .from(webhook_deliveries::Entity)
                .and_where(of_it.clone())
                .to_owned();
            webhook_attempts::Entity::delete_many()
                .filter(webhook_attempts::Column::DeliveryId.in_subquery(deliveries))
                .exec(tx)
                .await?;
            webhook_deliveries::Entity::delete_many()
                .filter(of_it)
                .exec(tx)
                .await?;
            Entity::delete_by_id(id).exec(tx).await?;
            requests::forget(tx, &[id.to_owned()]).await?;
            tx.emit(PendingEvent::gone(
                Kind::WebhookEndpointDeleted,
                &Endpoint::from(row),
            ));
            Ok(())
        }
        .boxed()
    })
    .await
}

/// The caller's endpoint's row, locked until the end of the transaction.
pub(super) async fn load(tx: &Tx, owner_id: &str, id: &str) -> Result<Model> {
    let query = Entity::find_by_id(id).filter(Column::OwnerId.eq(owner_id));
    tx.locked(query).one(tx).await?.ok_or_else(|| not_found(id))
}

/// Writes a row that was loaded for it, and says what happened.
pub(super) async fn save(tx: &Tx, mut row: Model, kind: Kind) -> Result<()> {
    row.update_time = tx.now().await?;
    row.clone().into_active_model().reset_all().update(tx).await?;
    tx.emit(PendingEvent::changed(kind, &Endpoint::from(row))?);
    Ok(())
}

fn not_found(id: &str) -> Error {
    Error::not_found("webhook endpoint", id)
}

async fn lead_there(targets: &dyn Targets, url: &str) -> Result<()> {
    targets.check(url).await.map_err(|why| {
        Error::rejected(
            Reason::WebhookAddressRefused,
            format!("webhooks are not sent there: {why}"),
        )
        .with("url", url)
    })
}

pub(super) fn own_secret(text: Option<&str>, violations: &mut Vec<Violation>) -> Option<Secret> {
    match Secret::parse("secret", text?) {
        Ok(secret) => Some(secret),
        Err(violation) => {
            violations.push(violation);
            None
        }
    }
}

fn check(field: &str, input: &mut EndpointInput, violations: &mut Vec<Violation>) {
    let mut wrong = |path: String, description: String| violations.push(Violation::new(path, description));
    match field {
        "url" if input.url.is_empty() => wrong("endpoint.url".to_owned(), "is required".to_owned()),
        "url" if input.url.len() > URL_MAX => {
            wrong(
                "endpoint.url".to_owned(),
                format!("has more than {URL_MAX} bytes"),
            );
        }
        // What is stored and shown is what is reached: none of the characters that parsers drop or read as others.
        "url"
            if input
                .url
                .contains(|c: char| c.is_control() || c.is_whitespace() || c == '\\' || !c.is_ascii()) =>
        {
            wrong(
                "endpoint.url".to_owned(),
                "must be ASCII without spaces, control characters and backslashes".to_owned(),
            );
        }
        "description"
            if input.description.chars().count() > DESCRIPTION_MAX || !is_plain(&input.description) =>
        {
            wrong(
                "endpoint.description".to_owned(),
                format!("must have at most {DESCRIPTION_MAX} characters, none of them a control character"),
            )
        }
        "event_types" => {
            input.event_types.sort();
            input.event_types.dedup();
            for unknown in unknown_types(&input.event_types) {
                wrong(
                    "endpoint.event_types".to_owned(),
                    format!("there is no type {unknown:?}"),
                );
            }
        }
        _ => {}
    }
}

/// Those of the types that no event has.
pub(super) fn unknown_types(given: &[String]) -> Vec<&String> {
    let known = types();
    given.iter().filter(|one| !known.contains(one)).collect()
}

/// The fields that an update takes.
fn fields(update: &mut UpdateEndpoint) -> Result<Vec<&'static str>> {
    const ALL: [&str; 4] = ["url", "description", "event_types", "ordered"];
    let mut violations = Vec::new();
    for path in update.mask.iter().filter(|path| !ALL.contains(&path.as_str())) {
        violations.push(Violation::new(
            "update_mask",
            format!("{path:?} cannot be changed; url, description, event_types and ordered can"),
        ));
    }
    let input = &update.endpoint;
    let is_given = |field: &str| match field {
        "url" => !input.url.is_empty(),
        "description" => !input.description.is_empty(),
        "event_types" => !input.event_types.is_empty(),
        _ => input.ordered,
    };
    let taken: Vec<_> = ALL
        .into_iter()
        .filter(|field| {
            if update.mask.is_empty() {
                is_given(field)
            } else {
                update.mask.iter().any(|path| path == field)
            }
        })
        .collect();
    for field in &taken {
        check(field, &mut update.endpoint, &mut violations);
    }
    if violations.is_empty() {
        Ok(taken)
    } else {
        Err(Error::Invalid(violations))
    }
}
