//! The people of a workspace: `ListUsers`, `UpdateUser`, `DeleteUser`, `LeaveWorkspace`.

use futures::FutureExt;
use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Statement};

use super::{Caller, Password, Role, User, links, mail_tokens, me, revoke, sessions, user};
use crate::events::{Kind, PendingEvent};
use crate::paging::{self, Order, Page, PageQuery, PageRequest, Position};
use crate::store::entities::users::{Column, Entity, Model};
use crate::store::{OfWorkspace, Tx};
use crate::{Context, Error, Reason, Result};

/// Lists the people of the workspace, oldest first.
pub async fn list_users(context: &Context, caller: &Caller, page: &PageRequest) -> Result<Page<User>> {
    let method = (caller.workspace_id.as_str(), "ListUsers");
    let query_page = PageQuery::<Position>::open(&context.keys, paging::RESOURCES, method, &(), page)?;
    let mut query = Entity::find().of_workspace(&caller.workspace_id);
    if let Some(condition) = query_page.condition(Column::CreateTime, Column::Id, Order::OldestFirst) {
        query = query.filter(condition);
    }
    let rows = query
        .order_by_asc(Column::CreateTime)
        .order_by_asc(Column::Id)
        .limit(query_page.to_read())
        .all(context.store.reader())
        .await?;
    let users = rows.into_iter().map(User::from).collect();
    query_page.close(&context.keys, users, |user| (user.create_time, user.id.clone()))
}

/// Changes the role of a person and ends their sessions, so that no open stream keeps the old role. If the person is no
/// longer owner, the API tokens and webhook endpoints that they created end too.
///
/// # Errors
/// NOT_FOUND; LAST_OWNER.
pub async fn update_user(context: &Context, caller: &Caller, id: &str, role: Role) -> Result<User> {
    let (workspace_id, id) = (caller.workspace_id.clone(), id.to_owned());
    let caller = caller.clone();
    let row = context
        .store
        .write(move |tx| {
            let (workspace_id, id, caller) = (workspace_id.clone(), id.clone(), caller.clone());
            async move {
                let mut row = lock_among_all(tx, &caller, &id, role != Role::Owner).await?;
                if row.role == role {
                    return Ok(row);
                }
                if row.role == Role::Owner {
                    revoke::end_creations(tx, &workspace_id, &id).await?;
                }
                row.role = role;
                sessions::end_all(tx, &id, None).await?;
                user::save(tx, row.clone()).await?;
                Ok(row)
            }
            .boxed()
        })
        .await?;
    let read = Entity::find_by_id(&row.id).one(context.store.reader()).await?;
    Ok(read.unwrap_or(row).into())
}

/// Removes a person from the workspace, and ends their sessions. The API tokens and webhook endpoints that they created
/// end too.
///
/// # Errors
/// NOT_FOUND; LAST_OWNER.
pub async fn delete_user(context: &Context, caller: &Caller, id: &str) -> Result<()> {
    if caller.person()?.user_id == id {
        return Err(Error::invalid("id", "is your own; call LeaveWorkspace"));
    }
    delete(context, caller, id).await
}

async fn delete(context: &Context, caller: &Caller, id: &str) -> Result<()> {
    let (caller, id) = (caller.clone(), id.to_owned());
    context
        .store
        .write(move |tx| {
            let (caller, id) = (caller.clone(), id.clone());
            async move {
                let row = lock_among_all(tx, &caller, &id, true).await?;
                remove(tx, row).await
            }
            .boxed()
        })
        .await
}

/// Removes the caller from the workspace.
///
/// # Errors
/// PERSON_REQUIRED; CREDENTIALS_INVALID; LAST_OWNER; RATE_LIMITED.
pub async fn leave_workspace(context: &Context, caller: &Caller, password: Password) -> Result<()> {
    let row = me::prove(context, caller, &password).await?;
    delete(context, caller, &row.id).await
}

/// Locks all people of the workspace, so that two owners cannot leave at the same time, and returns one of them.
///
/// # Errors
/// NOT_FOUND; LAST_OWNER if the person would no longer be owner and no other enabled owner remains.
async fn lock_among_all(tx: &Tx, caller: &Caller, id: &str, stops_being_owner: bool) -> Result<Model> {
    let all = Entity::find()
        .of_workspace(&caller.workspace_id)
        .order_by_asc(Column::Id);
    let all = tx.locked(all).all(tx).await?;
    // The caller may have ended since the call was authenticated.
    links::lock_live(tx, caller).await?;
    let row = all.iter().find(|row| row.id == id);
    let row = row.ok_or_else(|| Error::not_found("user", id))?.clone();
    let is_other_owner =
        |other: &Model| other.id != id && other.role == Role::Owner && other.disable_time.is_none();
    if stops_being_owner && row.role == Role::Owner && !all.iter().any(is_other_owner) {
        return Err(Error::rejected(
            Reason::LastOwner,
            "the workspace needs an owner; make another person owner first, or delete the workspace",
        ));
    }
    Ok(row)
}

async fn remove(tx: &Tx, row: Model) -> Result<()> {
    revoke::end_creations(tx, &row.workspace_id, &row.id).await?;
    mail_tokens::forget(tx, &row.id).await?;
    erase_events(tx, &row).await?;
    sessions::remove_all(tx, &row.id).await?;
    Entity::delete_by_id(&row.id).exec(tx).await?;
    tx.emit(PendingEvent::gone(Kind::UserDeleted, &User::from(row)));
    Ok(())
}

/// Removes the content of the person's events, which contain the address and devices, from the log.
async fn erase_events(tx: &Tx, row: &Model) -> Result<()> {
    // The events of a session outlive its row, so they are found by the person's id in their content.
    let sql = "UPDATE events SET payload = 'null' WHERE workspace_id = $1 AND resource_type IN ('USER', 'USER_SESSION') \
               AND payload LIKE $2";
    let values = [
        Value::from(row.workspace_id.as_str()),
        Value::from(format!("%{}%", row.id)),
    ];
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    tx.execute_raw(statement).await?;
    Ok(())
}
