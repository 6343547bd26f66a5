//! The user resource.

use sea_orm::{ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter};
use serde::{Deserialize, Serialize};
use vintedbot_marketplace::text;

use super::Role;
use crate::clock::Millis;
use crate::events::{Kind, PendingEvent, Resource, ResourceType};
use crate::store::entities::{instance, users};
use crate::store::{OfWorkspace, Tx};
use crate::{Error, Result, Violation, is_plain};

/// The maximum length of a display name, in characters.
pub(super) const NAME_MAX: usize = 100;

/// A person who can sign in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    pub id: String,
    pub workspace_id: String,
    /// In lower case.
    pub email: String,
    pub display_name: String,
    pub role: Role,
    pub create_time: Millis,
    /// The time at which the operator disabled the person. Absent: not disabled.
    pub disable_time: Option<Millis>,
    pub second_factor_enabled: bool,
    pub sequence: i64,
}

impl From<users::Model> for User {
    fn from(row: users::Model) -> Self {
        Self {
            id: row.id,
            workspace_id: row.workspace_id,
            email: row.email,
            display_name: row.display_name,
            role: row.role,
            create_time: row.create_time,
            disable_time: row.disable_time,
            second_factor_enabled: row.second_factor_enabled,
            sequence: row.sequence,
        }
    }
}

impl Resource for User {
    const TYPE: ResourceType = ResourceType::User;
    fn id(&self) -> &str {
        &self.id
    }
    fn workspace_id(&self) -> &str {
        &self.workspace_id
    }
    fn account_id(&self) -> Option<&str> {
        None
    }
}

/// What a new person has besides the defaults.
pub(super) struct NewPerson {
    pub workspace_id: String,
    pub email: String,
    pub display_name: String,
    pub role: Role,
    pub password_hash: String,
}

/// Serialises the creation of people and the changes of addresses, so that no two people get the same address, and only
/// one is the first.
pub(super) async fn lock_creations(tx: &Tx) -> Result<()> {
    tx.locked(instance::Entity::find()).one(tx).await?;
    Ok(())
}

/// Creates a person. The caller has checked that the address is free; a concurrent creation fails at the unique index.
pub(super) async fn create(tx: &Tx, new: NewPerson) -> Result<users::Model> {
    let row = users::Model {
        id: tx.id(),
        workspace_id: new.workspace_id,
        email: new.email,
        display_name: new.display_name,
        role: new.role,
        password_hash: new.password_hash,
        create_time: tx.now().await?,
        disable_time: None,
        sealed_second_factor: None,
        second_factor_enabled: false,
        second_factor_step: 0,
        recovery_hashes: "[]".to_owned(),
        sequence: 0,
    };
    users::Entity::insert(row.clone().into_active_model())
        .exec_without_returning(tx)
        .await?;
    tx.emit(PendingEvent::changed(
        Kind::UserCreated,
        &User::from(row.clone()),
    )?);
    Ok(row)
}

/// Locks a person's row.
///
/// # Errors
/// NOT_FOUND.
pub(super) async fn lock(tx: &Tx, workspace_id: &str, id: &str) -> Result<users::Model> {
    let row = users::Entity::find_by_id(id).of_workspace(workspace_id);
    let row = tx.locked(row).one(tx).await?;
    row.ok_or_else(|| Error::not_found("user", id))
}

/// Writes a changed row with its event.
pub(super) async fn save(tx: &Tx, row: users::Model) -> Result<()> {
    row.clone().into_active_model().reset_all().update(tx).await?;
    tx.emit(PendingEvent::changed(Kind::UserUpdated, &User::from(row))?);
    Ok(())
}

/// Checks a normalized display name.
pub(super) fn check_name(field: &str, name: &str) -> Option<Violation> {
    let is_name = (1..=NAME_MAX).contains(&text::length(name)) && is_plain(name);
    (!is_name).then(|| {
        Violation::new(
            field,
            format!("must have 1 to {NAME_MAX} characters, none of them a control character"),
        )
    })
}

/// Returns whether a workspace has a person.
pub(super) async fn has_people(connection: &impl ConnectionTrait, workspace_id: &str) -> Result<bool> {
    let found = users::Entity::find().of_workspace(workspace_id);
    Ok(found.one(connection).await?.is_some())
}

/// Returns whether an address has a person.
pub(super) async fn is_taken(connection: &impl ConnectionTrait, email: &str) -> Result<bool> {
    let found = users::Entity::find().filter(users::Column::Email.eq(email));
    Ok(found.one(connection).await?.is_some())
}
