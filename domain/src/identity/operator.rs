//! The commands of the operator on people. They need no sign-in, because the operator has the database and the key.

use futures::FutureExt;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use vintedbot_marketplace::text;

use super::user::{self, NewPerson};
use super::{
    Password, Role, User, attempts, email, mail_tokens, registration, revoke, second_factor, sessions,
};
use crate::clock::Millis;
use crate::store::entities::{users, workspaces};
use crate::{Context, Error, Result};

/// A person that the operator creates.
#[derive(Clone, Debug)]
pub struct NewUser {
    pub email: String,
    pub display_name: String,
    pub password: Password,
    /// Absent: owner for the first person of the workspace, otherwise member.
    pub role: Option<Role>,
    pub workspace_id: String,
}

/// Creates a person, whose address counts as verified.
///
/// # Errors
/// All violations at once; NOT_FOUND for the workspace; EMAIL_TAKEN.
pub async fn create_user(context: &Context, new: NewUser) -> Result<User> {
    let address = email::normalize(&new.email);
    let name = text::normalize_name(&new.display_name).trim().to_owned();
    let mut violations = Vec::new();
    violations.extend(email::check("email", &address));
    violations.extend(new.password.check_length("password"));
    violations.extend(user::check_name("display_name", &name));
    if !violations.is_empty() {
        return Err(Error::Invalid(violations));
    }
    let known = [address.as_str(), name.as_str()];
    let hasher = &context.people.hasher;
    let password_hash = hasher
        .hash_new(&new.password, "password", &known, &*context.ids)
        .await?;
    let row = context
        .store
        .write(move |tx| {
            let (address, name, workspace_id) = (address.clone(), name.clone(), new.workspace_id.clone());
            let password_hash = password_hash.clone();
            async move {
                user::lock_creations(tx).await?;
                let workspace = workspaces::Entity::find_by_id(&workspace_id).one(tx).await?;
                if workspace.is_none() {
                    return Err(Error::not_found("workspace", &workspace_id));
                }
                if user::is_taken(tx, &address).await? {
                    return Err(registration::taken());
                }
                let role = match new.role {
                    Some(role) => role,
                    None if user::has_people(tx, &workspace_id).await? => Role::Member,
                    None => Role::Owner,
                };
                let person = NewPerson {
                    workspace_id,
                    email: address,
                    display_name: name,
                    role,
                    password_hash,
                };
                user::create(tx, person).await
            }
            .boxed()
        })
        .await?;
    Ok(row.into())
}

/// Lists the people of all workspaces, by address.
pub async fn list_users(context: &Context) -> Result<Vec<User>> {
    let all = users::Entity::find().order_by_asc(users::Column::Email);
    let rows = all.all(context.store.reader()).await?;
    Ok(rows.into_iter().map(User::from).collect())
}

/// Sets a new password and ends all sessions of a person.
///
/// # Errors
/// NOT_FOUND; a violation of `password`.
pub async fn reset_password(context: &Context, email: &str, new: Password) -> Result<User> {
    if let Some(violation) = new.check_length("password") {
        return Err(Error::Invalid(vec![violation]));
    }
    let hasher = &context.people.hasher;
    let hash = hasher.hash_new(&new, "password", &[email], &*context.ids).await?;
    change(context, email, true, move |row, _| {
        row.password_hash.clone_from(&hash)
    })
    .await
}

/// Removes the second factor of a person who lost it, and ends all their sessions.
///
/// # Errors
/// NOT_FOUND.
pub async fn reset_second_factor(context: &Context, email: &str) -> Result<User> {
    change(context, email, true, |row, _| {
        second_factor::clear(row);
    })
    .await
}

/// Disables a person: ends their sessions, revokes the API tokens that they created, and disables the webhook endpoints
/// of the person and of these tokens. With `disabled` false, enables the person again, which restores none of these.
///
/// # Errors
/// NOT_FOUND.
pub async fn set_disabled(context: &Context, email: &str, disabled: bool) -> Result<User> {
    change(context, email, disabled, move |row, now| {
        row.disable_time = disabled.then(|| row.disable_time.unwrap_or(now));
    })
    .await
}

async fn change(
    context: &Context,
    email: &str,
    ends_sessions: bool,
    change: impl Fn(&mut users::Model, Millis) + Send + Sync + 'static,
) -> Result<User> {
    let email = email::normalize(email);
    let change = std::sync::Arc::new(change);
    let row = context
        .store
        .write(move |tx| {
            let (email, change) = (email.clone(), std::sync::Arc::clone(&change));
            async move {
                let found = users::Entity::find().filter(users::Column::Email.eq(email.as_str()));
                let row = tx.locked(found).one(tx).await?;
                let mut row = row.ok_or_else(|| Error::not_found("user", &email))?;
                let old_hash = row.password_hash.clone();
                change(&mut row, tx.now().await?);
                if row.password_hash != old_hash {
                    attempts::forget(tx, &row.email).await?;
                }
                if ends_sessions {
                    sessions::end_all(tx, &row.id, None).await?;
                    mail_tokens::forget(tx, &row.id).await?;
                }
                if row.disable_time.is_some() {
                    revoke::end_creations(tx, &row.workspace_id, &row.id).await?;
                }
                user::save(tx, row.clone()).await?;
                Ok(row)
            }
            .boxed()
        })
        .await?;
    Ok(row.into())
}
