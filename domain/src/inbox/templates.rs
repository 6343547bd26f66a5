//! `CreateTemplate`, `ListTemplates`, `GetTemplate`, `UpdateTemplate`, `DeleteTemplate`.

use futures::FutureExt;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, SqlErr};
use serde::Serialize;
use vintedbot_marketplace::text;

use super::text::{NAME_MAX, check_name};
use super::{Template, fill};
use crate::events::{Kind, PendingEvent};
use crate::identity::Caller;
use crate::paging::{self, Page, PageQuery, PageRequest};
use crate::store::entities::templates::{Column, Entity, Model};
use crate::store::{OfWorkspace, Tx};
use crate::{Context, Error, Reason, Result, Violation, accounts, requests};

/// The parameters of `CreateTemplate`.
#[derive(Clone, Debug, Serialize)]
pub struct NewTemplate {
    pub name: String,
    pub text: String,
    #[serde(skip)]
    pub request_id: Option<String>,
}

/// The parameters of `UpdateTemplate`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct UpdateTemplate {
    pub id: String,
    pub name: String,
    pub text: String,
    /// The fields to change, of `name` and `text`. Empty: the fields above that are not empty.
    pub mask: Vec<String>,
    /// The sequence that the template must still have. Absent: not checked.
    pub expected_sequence: Option<i64>,
    #[serde(skip)]
    pub request_id: Option<String>,
}

const CREATE: &str = "CreateTemplate";
const UPDATE: &str = "UpdateTemplate";
const DELETE: &str = "DeleteTemplate";

/// Creates a template.
///
/// # Errors
/// All violations in one error, including one per unknown variable; NAME_TAKEN.
pub async fn create_template(context: &Context, caller: &Caller, new: NewTemplate) -> Result<Template> {
    let new = NewTemplate {
        name: text::normalize_name(&new.name).into_owned(),
        text: text::normalize(&new.text).into_owned(),
        ..new
    };
    let mut violations = check(("name", new.name.trim()), ("text", &new.text));
    if new.text.is_empty() {
        violations.push(Violation::new("text", "is required"));
    }
    if !violations.is_empty() {
        return Err(Error::Invalid(violations));
    }
    let workspace_id = caller.workspace_id.clone();
    let written = context
        .store
        .write(move |tx| {
            let (new, workspace_id) = (new.clone(), workspace_id.clone());
            async move {
                let request_id = new.request_id.as_deref();
                if let Some(id) = requests::check(tx, &workspace_id, request_id, CREATE, &new).await? {
                    return Ok(id);
                }
                let now = tx.now().await?;
                let row = Model {
                    id: tx.id(),
                    workspace_id: workspace_id.clone(),
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
                requests::remember(tx, &workspace_id, request_id, CREATE, &new, &id).await?;
                Ok(id)
            }
            .boxed()
        })
        .await;
    get_template(context, caller, &written.map_err(name_taken)?).await
}

/// Lists the caller's templates by name.
pub async fn list_templates(
    context: &Context,
    caller: &Caller,
    page: &PageRequest,
) -> Result<Page<Template>> {
    let method = (caller.workspace_id.as_str(), "ListTemplates");
    let window = PageQuery::<(String, String)>::open(&context.keys, paging::RESOURCES, method, &(), page)?;
    let mut query = Entity::find().of_workspace(&caller.workspace_id);
    if let Some((name, id)) = &window.after {
        let columns = Expr::tuple([Expr::column(Column::Name), Expr::column(Column::Id)]);
        let after = Expr::tuple([Expr::value(name.as_str()), Expr::value(id.as_str())]);
        query = query.filter(columns.gt(after));
    }
    let rows = query
        .order_by_asc(Column::Name)
        .order_by_asc(Column::Id)
        .limit(window.to_read())
        .all(context.store.reader())
        .await?;
    let templates = rows.into_iter().map(Template::from).collect();
    window.close(&context.keys, templates, |template: &Template| {
        (template.name.clone(), template.id.clone())
    })
}

/// Returns a template of the caller's workspace.
pub async fn get_template(context: &Context, caller: &Caller, id: &str) -> Result<Template> {
    let row = Entity::find_by_id(id)
        .of_workspace(&caller.workspace_id)
        .one(context.store.reader())
        .await?;
    row.map(Template::from)
        .ok_or_else(|| Error::not_found("template", id))
}

/// Changes a template.
///
/// # Errors
/// Those of [`create_template`]; RESOURCE_CHANGED.
pub async fn update_template(context: &Context, caller: &Caller, update: UpdateTemplate) -> Result<Template> {
    let update = UpdateTemplate {
        name: text::normalize_name(&update.name).into_owned(),
        text: text::normalize(&update.text).into_owned(),
        ..update
    };
    let (takes_name, takes_text) = fields(&update)?;
    let (workspace_id, id) = (caller.workspace_id.clone(), update.id.clone());
    let written = context
        .store
        .write(move |tx| {
            let (workspace_id, update) = (workspace_id.clone(), update.clone());
            async move {
                let request_id = update.request_id.as_deref();
                if requests::check(tx, &workspace_id, request_id, UPDATE, &update)
                    .await?
                    .is_some()
                {
                    return Ok(());
                }
                let row = load(tx, &workspace_id, &update.id).await?;
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
                requests::remember(tx, &workspace_id, request_id, UPDATE, &update, &update.id).await
            }
            .boxed()
        })
        .await;
    written.map_err(name_taken)?;
    get_template(context, caller, &id).await
}

/// Deletes a template.
pub async fn delete_template(
    context: &Context,
    caller: &Caller,
    id: &str,
    request_id: Option<String>,
) -> Result<()> {
    let (workspace_id, id) = (caller.workspace_id.clone(), id.to_owned());
    context
        .store
        .write(move |tx| {
            let (workspace_id, id, request_id) = (workspace_id.clone(), id.clone(), request_id.clone());
            async move {
                let request_id = request_id.as_deref();
                if requests::check(tx, &workspace_id, request_id, DELETE, &id)
                    .await?
                    .is_some()
                {
                    return Ok(());
                }
                let row = load(tx, &workspace_id, &id).await?;
                Entity::delete_by_id(id.as_str()).exec(tx).await?;
                requests::forget(tx, std::slice::from_ref(&id)).await?;
                tx.emit(PendingEvent::gone(Kind::TemplateDeleted, &Template::from(row)));
                requests::remember(tx, &workspace_id, request_id, DELETE, &id, &id).await
            }
            .boxed()
        })
        .await
}

async fn load(tx: &Tx, workspace_id: &str, id: &str) -> Result<Model> {
    let query = Entity::find_by_id(id).of_workspace(workspace_id);
    let row = tx.locked(query).one(tx).await?;
    row.ok_or_else(|| Error::not_found("template", id))
}

fn check((name_field, name): (&str, &str), (text_field, text): (&str, &str)) -> Vec<Violation> {
    let mut violations: Vec<_> = check_name(name_field, name, NAME_MAX).into_iter().collect();
    violations.extend(fill::check(text_field, text));
    violations
}

/// Returns whether the update changes the name and whether it changes the text.
fn fields(update: &UpdateTemplate) -> Result<(bool, bool)> {
    let unknown = update
        .mask
        .iter()
        .filter(|path| !matches!(path.as_str(), "name" | "text"));
    let mut violations: Vec<_> = unknown
        .map(|path| {
            Violation::new(
                "update_mask",
                format!("{path:?} cannot be updated; valid paths are name and text"),
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

/// Maps a unique violation to NAME_TAKEN. The index on workspace and name is the only unique index that these writes
/// can violate; it also decides between two concurrent calls.
fn name_taken(error: Error) -> Error {
    match &error {
        Error::Database(cause) if matches!(cause.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => {
            Error::rejected(Reason::NameTaken, "a template with this name already exists")
        }
        _ => error,
    }
}
