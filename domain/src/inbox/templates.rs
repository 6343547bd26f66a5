//! `CreateTemplate`, `ListTemplates`, `GetTemplate`, `UpdateTemplate`, `DeleteTemplate`.

use futures::FutureExt;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, SqlErr,
};
use serde::Serialize;

use super::text::{NAME_MAX, check_name};
use super::{Template, fill};
use crate::events::{Kind, PendingEvent};
use crate::identity::Caller;
use crate::paging::{self, Page, PageRequest, Window};
use crate::store::Tx;
use crate::store::entities::templates::{Column, Entity, Model};
use crate::{Domain, Error, Reason, Result, Violation, accounts, requests};

/// A template that is to be made.
#[derive(Clone, Debug, Serialize)]
pub struct NewTemplate {
    pub name: String,
    pub text: String,
    #[serde(skip)]
    pub request_id: Option<String>,
}

/// A change of a template.
#[derive(Clone, Debug, Default, Serialize)]
pub struct UpdateTemplate {
    pub id: String,
    pub name: String,
    pub text: String,
    /// `name` and `text`, or one of them. Empty: those that are not empty above.
    pub mask: Vec<String>,
    /// The change is made only to this state of the template.
    pub expected_sequence: Option<i64>,
    #[serde(skip)]
    pub request_id: Option<String>,
}

const CREATE: &str = "CreateTemplate";
const UPDATE: &str = "UpdateTemplate";
const DELETE: &str = "DeleteTemplate";

/// Makes a template.
///
/// # Errors
/// All violations at once, each unknown variable one; NAME_TAKEN.
pub async fn create_template(domain: &Domain, caller: &Caller, new: NewTemplate) -> Result<Template> {
    let mut violations = check(("name", new.name.trim()), ("text", &new.text));
    if new.text.is_empty() {
        violations.push(Violation::new("text", "is required"));
    }
    if !violations.is_empty() {
        return Err(Error::Invalid(violations));
    }
    let owner_id = caller.owner_id.clone();
    let written = domain
        .store
        .write(move |tx| {
            let (new, owner_id) = (new.clone(), owner_id.clone());
            async move {
                let request_id = new.request_id.as_deref();
                if let Some(id) = requests::check(tx, &owner_id, request_id, CREATE, &new).await? {
                    return Ok(id);
                }
                let now = tx.now().await?;
                let row = Model {
                    id: tx.id(),
                    owner_id: owner_id.clone(),
                    name: new.name.trim().to_owned(),
                    text: new.text.clone(),
                    create_time: now,
                    update_time: now,
                    sequence: 0,
                };
                Entity::insert(row.clone().into_active_model())
                    .exec_without_returning(tx)
                    .await?;
                let id = row.id.clone();
                let template = Template::from(row);
                tx.emit(PendingEvent::changed(Kind::TemplateCreated, &template)?);
                requests::remember(tx, &owner_id, request_id, CREATE, &new, &id).await?;
                Ok(id)
            }
            .boxed()
        })
        .await;
    get_template(domain, caller, &written.map_err(taken)?).await
}

/// The caller's templates, by name.
pub async fn list_templates(domain: &Domain, caller: &Caller, page: &PageRequest) -> Result<Page<Template>> {
    let method = (caller.owner_id.as_str(), "ListTemplates");
    let window = Window::<(String, String)>::open(&domain.keys, paging::RESOURCES, method, &(), page)?;
    let mut query = Entity::find().filter(Column::OwnerId.eq(caller.owner_id.as_str()));
    if let Some((name, id)) = &window.after {
        let columns = Expr::tuple([Expr::column(Column::Name), Expr::column(Column::Id)]);
        let after = Expr::tuple([Expr::value(name.as_str()), Expr::value(id.as_str())]);
        query = query.filter(columns.gt(after));
    }
    let rows = query
        .order_by_asc(Column::Name)
        .order_by_asc(Column::Id)
        .limit(window.to_read())
        .all(domain.store.reader())
        .await?;
    let templates = rows.into_iter().map(Template::from).collect();
    window.close(&domain.keys, templates, |template: &Template| {
        (template.name.clone(), template.id.clone())
    })
}

/// One template of the caller.
pub async fn get_template(domain: &Domain, caller: &Caller, id: &str) -> Result<Template> {
    let row = Entity::find_by_id(id)
        .filter(Column::OwnerId.eq(caller.owner_id.as_str()))
        .one(domain.store.reader())
        .await?;
    row.map(Template::from)
        .ok_or_else(|| Error::not_found("template", id))
}

/// Changes a template.
///
/// # Errors
/// As `create_template`; RESOURCE_CHANGED.
pub async fn update_template(domain: &Domain, caller: &Caller, update: UpdateTemplate) -> Result<Template> {
    let (takes_name, takes_text) = fields(&update)?;
    let (owner_id, id) = (caller.owner_id.clone(), update.id.clone());
    let written = domain
        .store
        .write(move |tx| {
            let (owner_id, update) = (owner_id.clone(), update.clone());
            async move {
                let request_id = update.request_id.as_deref();
                if requests::check(tx, &owner_id, request_id, UPDATE, &update)
                    .await?
                    .is_some()
                {
                    return Ok(());
                }
                let row = load(tx, &owner_id, &update.id).await?;
                if update
                    .expected_sequence
                    .is_some_and(|expected| expected != row.sequence)
                {
                    return Err(accounts::changed("template", row.sequence));
                }
                let mut changed = row.clone();
                if takes_name {
                    update.name.trim().clone_into(&mut changed.name);
                }
                if takes_text {
                    changed.text.clone_from(&update.text);
                }
                if changed != row {
                    changed.update_time = tx.now().await?;
                    changed.clone().into_active_model().reset_all().update(tx).await?;
                    let template = Template::from(changed);
                    tx.emit(PendingEvent::changed(Kind::TemplateUpdated, &template)?);
                }
                requests::remember(tx, &owner_id, request_id, UPDATE, &update, &update.id).await
            }
            .boxed()
        })
        .await;
    written.map_err(taken)?;
    get_template(domain, caller, &id).await
}

/// Removes a template.
pub async fn delete_template(
    domain: &Domain,
    caller: &Caller,
    id: &str,
    request_id: Option<String>,
) -> Result<()> {
    let (owner_id, id) = (caller.owner_id.clone(), id.to_owned());
    domain
        .store
        .write(move |tx| {
            let (owner_id, id, request_id) = (owner_id.clone(), id.clone(), request_id.clone());
            async move {
                let request_id = request_id.as_deref();
                if requests::check(tx, &owner_id, request_id, DELETE, &id)
                    .await?
                    .is_some()
                {
                    return Ok(());
                }
                let row = load(tx, &owner_id, &id).await?;
                Entity::delete_by_id(id.as_str()).exec(tx).await?;
                requests::forget(tx, std::slice::from_ref(&id)).await?;
                tx.emit(PendingEvent::gone(Kind::TemplateDeleted, &Template::from(row)));
                requests::remember(tx, &owner_id, request_id, DELETE, &id, &id).await
            }
            .boxed()
        })
        .await
}

async fn load(tx: &Tx, owner_id: &str, id: &str) -> Result<Model> {
    let query = Entity::find_by_id(id).filter(Column::OwnerId.eq(owner_id));
    let row = tx.locked(query).one(tx).await?;
    row.ok_or_else(|| Error::not_found("template", id))
}

fn check((name_field, name): (&str, &str), (text_field, text): (&str, &str)) -> Vec<Violation> {
    let mut violations: Vec<_> = check_name(name_field, name, NAME_MAX).into_iter().collect();
    violations.extend(fill::check(text_field, text));
    violations
}

/// Whether an update takes name and text.
fn fields(update: &UpdateTemplate) -> Result<(bool, bool)> {
    let unknown = update
        .mask
        .iter()
        .filter(|path| !matches!(path.as_str(), "name" | "text"));
    let mut violations: Vec<_> = unknown
        .map(|path| {
            Violation::new(
                "update_mask",
                format!("{path:?} cannot be changed; name and text can"),
            )
        })
        .collect();
    let takes = |path: &str, value: &str| {
        if update.mask.is_empty() {
            !value.is_empty()
        } else {
            update.mask.iter().any(|asked| asked == path)
        }
    };
    let (takes_name, takes_text) = (takes("name", &update.name), takes("text", &update.text));
    if takes_name {
        violations.extend(check_name("template.name", update.name.trim(), NAME_MAX));
    }
    if takes_text {
        violations.extend(fill::check("template.text", &update.text));
        if update.text.is_empty() {
            violations.push(Violation::new("template.text", "must not be empty"));
        }
    }
    if violations.is_empty() {
        Ok((takes_name, takes_text))
    } else {
        Err(Error::Invalid(violations))
    }
}

/// The index on owner and name is the only one that such a call can run into; of two calls at the same moment, too, it lets
/// one in.
fn taken(error: Error) -> Error {
    match &error {
        Error::Database(cause) if matches!(cause.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => {
            Error::rejected(Reason::NameTaken, "there is a template of this name already")
        }
        _ => error,
    }
}
