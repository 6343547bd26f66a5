//! `CreateEndpoint`, `GetEndpoint`, `ListEndpoints`, `UpdateEndpoint`, `DeleteEndpoint`.

use futures::FutureExt;
use sea_orm::sea_query::Query;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect,
};
use serde::Serialize;
use vintedbot_marketplace::text;

use super::secret::{Secret, Secrets};
use super::{Endpoint, EndpointState, Targets, address, token, types};
use crate::events::{Kind, PendingEvent};
use crate::identity::{Caller, links};
use crate::keys::sha256_hex;
use crate::paging::{self, Order, Page, PageQuery, PageRequest, Position};
use crate::store::entities::webhook_endpoints::{Column, Entity, Model};
use crate::store::entities::{event_heads, webhook_attempts, webhook_deliveries};
use crate::store::{OfWorkspace, Tx};
use crate::{Context, Error, Reason, Result, Violation, accounts, is_plain, requests};

/// The maximum length of a URL, in bytes.
const URL_MAX: usize = 2_000;
/// The maximum length of a description, in characters.
const DESCRIPTION_MAX: usize = 500;
/// The maximum number of endpoints of a workspace, because each event is written for each of them.
const ENDPOINTS_MAX: u64 = 100;

/// The settings of an endpoint that a caller chooses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EndpointInput {
    pub url: String,
    pub description: String,
    pub event_types: Vec<String>,
    pub ordered: bool,
}

/// The parameters of `CreateEndpoint`.
#[derive(Clone, Debug)]
pub struct NewEndpoint {
    pub endpoint: EndpointInput,
    /// The caller's own secret. `None`: the server generates one.
    pub secret: Option<String>,
    pub request_id: Option<String>,
}

/// An endpoint with its new secret.
#[derive(Clone, Debug)]
pub struct CreatedEndpoint {
    pub endpoint: Endpoint,
    /// The new secret, which is returned only once. `None` in the result of a repeated call.
    pub secret: Option<Secret>,
}

/// The parameters of `UpdateEndpoint`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct UpdateEndpoint {
    pub id: String,
    pub endpoint: EndpointInput,
    /// The names of the fields to change. Empty: all non-empty fields of `endpoint`.
    pub mask: Vec<String>,
    pub expected_sequence: Option<i64>,
    #[serde(skip)]
    pub request_id: Option<String>,
}

const CREATE: &str = "CreateEndpoint";
const UPDATE: &str = "UpdateEndpoint";
const DELETE: &str = "DeleteEndpoint";

/// Creates an endpoint. It receives the events from now on, with the resources that the caller's token may read.
///
/// # Errors
/// All violations at once; WEBHOOK_ADDRESS_REFUSED, TOO_MANY_WEBHOOK_ENDPOINTS.
pub async fn create(
    context: &Context,
    caller: &Caller,
    targets: &dyn Targets,
    new: NewEndpoint,
) -> Result<CreatedEndpoint> {
    let mut violations = Vec::new();
    let mut input = new.endpoint;
    for field in ["url", "description", "event_types"] {
        check(field, &mut input, &mut violations);
    }
    let given = parse_secret(new.secret.as_deref(), &mut violations);
    if !violations.is_empty() {
        return Err(Error::Invalid(violations));
    }
    let parameters = (input.clone(), new.secret.map(sha256_hex));
    let workspace_id = caller.workspace_id.as_str();
    let request_id = new.request_id;
    let known = requests::find(
        context.store.reader(),
        workspace_id,
        request_id.as_deref(),
        CREATE,
        &parameters,
    );
    if known.await?.is_none() {
        check_target(targets, &input.url).await?;
    }
    let secret = given.unwrap_or_else(|| Secret::generate(context));
    let id = context.ids.id();
    let sealed = Secrets::new(&secret).seal(context, workspace_id, &id)?;
    let mut row = Model {
        id,
        workspace_id: workspace_id.to_owned(),
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
        token_id: Some(caller.creator_id().to_owned()),
        sealed_query: None,
    };
    address::set(context, &mut row, &input.url)?;
    let creator = caller.clone();
    let (id, is_new) = context
        .store
        .write(move |tx| {
            let (mut row, parameters, request_id) = (row.clone(), parameters.clone(), request_id.clone());
            let creator = creator.clone();
            async move {
                let request_id = request_id.as_deref();
                if let Some(id) =
                    requests::check(tx, &row.workspace_id, request_id, CREATE, &parameters).await?
                {
                    return Ok((id, false));
                }
                links::lock_live(tx, &creator).await?;
                // The lock serialises the creation of endpoints, so that each call counts those of the others.
                let head = tx
                    .locked(event_heads::Entity::find_by_id(row.workspace_id.as_str()))
                    .one(tx)
                    .await?;
                let endpoints = Entity::find().of_workspace(&row.workspace_id);
                if endpoints.count(tx).await? >= ENDPOINTS_MAX {
                    let message =
                        format!("at most {ENDPOINTS_MAX} webhook endpoints are allowed; delete one first");
                    return Err(Error::rejected(Reason::TooManyWebhookEndpoints, message)
                        .with("max_endpoints", ENDPOINTS_MAX.to_string()));
                }
                row.log_position = head.map_or(0, |head| head.sequence);
                row.create_time = tx.now().await?;
                row.update_time = row.create_time;
                Entity::insert(row.clone().into_active_model())
                    .exec_without_returning(tx)
                    .await?;
                let (workspace_id, id) = (row.workspace_id.clone(), row.id.clone());
                tx.emit(PendingEvent::changed(
                    Kind::WebhookEndpointCreated,
                    &Endpoint::from(row),
                )?);
                requests::remember(tx, &workspace_id, request_id, CREATE, &parameters, &id).await?;
                Ok((id, true))
            }
            .boxed()
        })
        .await?;
    Ok(CreatedEndpoint {
        endpoint: get(context, caller, &id).await?,
        secret: is_new.then_some(secret),
    })
}

/// Lists the endpoints of the caller's workspace, newest first.
pub async fn list(context: &Context, caller: &Caller, page: &PageRequest) -> Result<Page<Endpoint>> {
    let method = (caller.workspace_id.as_str(), "ListEndpoints");
    let query_page = PageQuery::<Position>::open(&context.keys, paging::RESOURCES, method, &(), page)?;
    let mut query = Entity::find().of_workspace(&caller.workspace_id);
    if let Some(condition) = query_page.condition(Column::CreateTime, Column::Id, Order::NewestFirst) {
        query = query.filter(condition);
    }
    let rows = query
        .order_by_desc(Column::CreateTime)
        .order_by_desc(Column::Id)
        .limit(query_page.to_read())
        .all(context.store.reader())
        .await?;
    let endpoints = rows.into_iter().map(Endpoint::from).collect();
    query_page.close(&context.keys, endpoints, |one: &Endpoint| {
        (one.create_time, one.id.clone())
    })
}

/// Returns an endpoint of the caller's workspace.
///
/// # Errors
/// NOT_FOUND.
pub async fn get(context: &Context, caller: &Caller, id: &str) -> Result<Endpoint> {
    let row = Entity::find_by_id(id)
        .of_workspace(&caller.workspace_id)
        .one(context.store.reader())
        .await?;
    row.map(Endpoint::from).ok_or_else(|| not_found(id))
}

/// Updates an endpoint.
///
/// With a new URL, the endpoint belongs to the caller's token, and its events include only resources that both tokens
/// may read. The redacted URL counts as the current URL.
///
/// # Errors
/// As [`create`]; NOT_FOUND, RESOURCE_CHANGED.
pub async fn update(
    context: &Context,
    caller: &Caller,
    targets: &dyn Targets,
    mut update: UpdateEndpoint,
) -> Result<Endpoint> {
    let fields = fields(&mut update)?;
    if fields.contains(&"url") {
        check_target(targets, &update.endpoint.url).await?;
    }
    let (inner, caller_, id) = (context.clone(), caller.clone(), update.id.clone());
    context
        .store
        .write(move |tx| {
            let (context, caller, update, fields) =
                (inner.clone(), caller_.clone(), update.clone(), fields.clone());
            async move {
                let workspace_id = caller.workspace_id.as_str();
                let request_id = update.request_id.as_deref();
                if requests::check(tx, workspace_id, request_id, UPDATE, &update)
                    .await?
                    .is_some()
                {
                    return Ok(());
                }
                if fields.contains(&"url") {
                    links::lock_live(tx, &caller).await?;
                }
                let row = load(tx, workspace_id, &update.id).await?;
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
                        "url" if input.url != row.url && input.url != address::open(&context, &row)? => {
                            address::set(&context, &mut changed, &input.url)?;
                            changed.failing_since = None;
                            token::assign(&mut changed, &caller)?;
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
                requests::remember(tx, workspace_id, request_id, UPDATE, &update, &update.id).await
            }
            .boxed()
        })
        .await?;
    get(context, caller, &id).await
}

/// Deletes an endpoint with its deliveries and attempts.
pub async fn delete(context: &Context, caller: &Caller, id: &str, request_id: Option<String>) -> Result<()> {
    requests::once(context, caller, DELETE, id, request_id, |tx, workspace_id, id| {
        async move {
            let row = load(tx, workspace_id, id).await?;
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

/// Loads the row of an endpoint and locks it until the end of the transaction.
pub(super) async fn load(tx: &Tx, workspace_id: &str, id: &str) -> Result<Model> {
    let query = Entity::find_by_id(id).of_workspace(workspace_id);
    tx.locked(query).one(tx).await?.ok_or_else(|| not_found(id))
}

/// Writes a row from [`load`] and emits an event.
pub(super) async fn save(tx: &Tx, mut row: Model, kind: Kind) -> Result<()> {
    row.update_time = tx.now().await?;
    row.clone().into_active_model().reset_all().update(tx).await?;
    tx.emit(PendingEvent::changed(kind, &Endpoint::from(row))?);
    Ok(())
}

fn not_found(id: &str) -> Error {
    Error::not_found("webhook endpoint", id)
}

async fn check_target(targets: &dyn Targets, url: &str) -> Result<()> {
    targets.check(url).await.map_err(|why| {
        Error::rejected(
            Reason::WebhookAddressRefused,
            format!("webhooks are not sent to this URL: {why}"),
        )
        .with("url", url)
    })
}

pub(super) fn parse_secret(text: Option<&str>, violations: &mut Vec<Violation>) -> Option<Secret> {
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
    if field == "description" {
        input.description = text::normalize_name(&input.description).into_owned();
    }
    match field {
        "url" if input.url.is_empty() => wrong("endpoint.url".to_owned(), "is required".to_owned()),
        "url" if input.url.len() > URL_MAX => {
            wrong(
                "endpoint.url".to_owned(),
                format!("must have at most {URL_MAX} bytes"),
            );
        }
        // URL parsers drop or replace these characters, so the URL that is reached could differ from the stored one.
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
            if text::length(&input.description) > DESCRIPTION_MAX || !is_plain(&input.description) =>
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
                    format!("unknown event type {unknown:?}"),
                );
            }
        }
        _ => {}
    }
}

/// Returns the names that are not event types.
pub(super) fn unknown_types(given: &[String]) -> Vec<&String> {
    let known = types();
    given.iter().filter(|one| !known.contains(one)).collect()
}

/// Returns the fields that an update changes, after checking them.
fn fields(update: &mut UpdateEndpoint) -> Result<Vec<&'static str>> {
    const ALL: [&str; 4] = ["url", "description", "event_types", "ordered"];
    let mut violations = Vec::new();
    for path in update.mask.iter().filter(|path| !ALL.contains(&path.as_str())) {
        violations.push(Violation::new(
            "update_mask",
            format!("{path:?} cannot be changed; only url, description, event_types and ordered can"),
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
