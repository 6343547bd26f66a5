//! `CreateInvitation`, `ListInvitations`, `DeleteInvitation`.

use futures::FutureExt;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use serde::Serialize;
use zeroize::Zeroizing;

use super::{Caller, Mail, Role, attempts, email, links, registration, secret};
use crate::clock::Millis;
use crate::keys::sha256_hex;
use crate::paging::{self, Order, Page, PageQuery, PageRequest, Position};
use crate::store::entities::invitations::{Column, Entity, Model};
use crate::store::entities::users;
use crate::store::{OfWorkspace, Store, Tx};
use crate::{Context, Error, Reason, Result, Violation, requests, settings};

/// The prefix of every invitation's token.
const PREFIX: &str = "vbi_";
/// How long an invitation can be accepted.
const LIFETIME: Millis = 7 * 24 * 3_600_000;

/// An invitation to join a workspace, without its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    pub id: String,
    pub workspace_id: String,
    pub email: String,
    pub role: Role,
    pub inviter_id: String,
    pub create_time: Millis,
    pub expire_time: Millis,
}

impl From<Model> for Invitation {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            workspace_id: row.workspace_id,
            email: row.email,
            role: row.role,
            inviter_id: row.inviter_id,
            create_time: row.create_time,
            expire_time: row.expire_time,
        }
    }
}

/// The parameters of a new invitation.
#[derive(Clone, Debug, Serialize)]
pub struct NewInvitation {
    pub email: String,
    /// Absent: a violation.
    pub role: Option<Role>,
    #[serde(skip)]
    pub request_id: Option<String>,
}

/// A created invitation.
#[derive(Clone, Debug)]
pub struct CreatedInvitation {
    pub invitation: Invitation,
    /// Absent in the response to a repeated call, and if the server sends mail. The mailed token proves that its holder
    /// reads the mailbox.
    pub token: Option<Zeroizing<String>>,
}

const CREATE: &str = "CreateInvitation";

/// Creates an invitation and mails it.
///
/// # Errors
/// All violations at once; EMAIL_TAKEN if the address has a person in this workspace; RATE_LIMITED.
pub async fn create_invitation(
    context: &Context,
    caller: &Caller,
    new: NewInvitation,
) -> Result<CreatedInvitation> {
    let new = NewInvitation {
        email: email::normalize(&new.email),
        ..new
    };
    let mut violations = Vec::new();
    violations.extend(email::check("email", &new.email));
    if new.role.is_none() {
        violations.push(Violation::new("role", "is required"));
    }
    let (Some(role), true) = (new.role, violations.is_empty()) else {
        return Err(Error::Invalid(violations));
    };
    if context.settings.people.registration == settings::Registration::Off {
        return Err(Error::rejected(
            Reason::RegistrationClosed,
            "people cannot register here; ask the operator to set PEOPLE_REGISTRATION to invitation",
        ));
    }
    let counters = attempts::of_mail_by(&caller.workspace_id, &new.email);
    let token = secret::random_token(&*context.ids, PREFIX);
    let hash = sha256_hex(token.as_bytes());
    let (workspace_id, inviter_id) = (caller.workspace_id.clone(), caller.person()?.user_id.clone());
    let caller = caller.clone();
    let (row, made) = context
        .store
        .write(move |tx| {
            let (workspace_id, inviter_id) = (workspace_id.clone(), inviter_id.clone());
            let caller = caller.clone();
            let (new, hash, counters) = (new.clone(), hash.clone(), counters.clone());
            async move {
                let request_id = new.request_id.as_deref();
                if let Some(id) = requests::check(tx, &workspace_id, request_id, CREATE, &new).await? {
                    let row = Entity::find_by_id(&id).one(tx).await?;
                    return Ok((row.ok_or_else(|| Error::not_found("invitation", &id))?, false));
                }
                links::lock_live(tx, &caller).await?;
                let member = users::Entity::find()
                    .of_workspace(&workspace_id)
                    .filter(users::Column::Email.eq(new.email.as_str()));
                if member.one(tx).await?.is_some() {
                    return Err(registration::taken());
                }
                attempts::count(tx, &counters).await?;
                let now = tx.now().await?;
                let row = Model {
                    id: tx.id(),
                    workspace_id: workspace_id.clone(),
                    email: new.email.clone(),
                    role,
                    inviter_id,
                    token_hash: hash,
                    create_time: now,
                    expire_time: now + LIFETIME,
                };
                Entity::insert(row.clone().into_active_model())
                    .exec_without_returning(tx)
                    .await?;
                requests::remember(tx, &workspace_id, request_id, CREATE, &new, &row.id).await?;
                Ok((row, true))
            }
            .boxed()
        })
        .await?;
    if made {
        mail(context, &row, &token);
    }
    Ok(CreatedInvitation {
        invitation: row.into(),
        token: (made && !context.people.delivers_mail()).then_some(token),
    })
}

fn mail(context: &Context, row: &Model, token: &str) {
    let link = context.people.link("register", token);
    context.people.post(Mail {
        to: row.email.clone(),
        subject: "You are invited to vintedbot".to_owned(),
        text: format!(
            "Hello,\n\nyou are invited to work with others in vintedbot. To accept, open this link within 7 \
             days:\n\n{link}\n\nOr call Register with this invitation token:\n\n{token}\n"
        ),
    });
}

/// Lists the invitations that can still be accepted, newest first.
pub async fn list_invitations(
    context: &Context,
    caller: &Caller,
    page: &PageRequest,
) -> Result<Page<Invitation>> {
    let method = (caller.workspace_id.as_str(), "ListInvitations");
    let query_page = PageQuery::<Position>::open(&context.keys, paging::RESOURCES, method, &(), page)?;
    let mut query = Entity::find()
        .of_workspace(&caller.workspace_id)
        .filter(Column::ExpireTime.gt(context.store.now().await?));
    if let Some(condition) = query_page.condition(Column::CreateTime, Column::Id, Order::NewestFirst) {
        query = query.filter(condition);
    }
    let rows = query
        .order_by_desc(Column::CreateTime)
        .order_by_desc(Column::Id)
        .limit(query_page.to_read())
        .all(context.store.reader())
        .await?;
    let invitations = rows.into_iter().map(Invitation::from).collect();
    query_page.close(&context.keys, invitations, |invitation| {
        (invitation.create_time, invitation.id.clone())
    })
}

/// Deletes an invitation.
///
/// # Errors
/// NOT_FOUND.
pub async fn delete_invitation(context: &Context, caller: &Caller, id: &str) -> Result<()> {
    let (workspace_id, id) = (caller.workspace_id.clone(), id.to_owned());
    let caller = caller.clone();
    context
        .store
        .write(move |tx| {
            let (workspace_id, id, caller) = (workspace_id.clone(), id.clone(), caller.clone());
            async move {
                links::lock_live(tx, &caller).await?;
                let gone = Entity::delete_many()
                    .filter(Column::Id.eq(id.as_str()))
                    .of_workspace(&workspace_id)
                    .exec(tx)
                    .await?;
                if gone.rows_affected == 0 {
                    return Err(Error::not_found("invitation", &id));
                }
                requests::forget(tx, &[id]).await
            }
            .boxed()
        })
        .await
}

/// Uses up the invitation of an address.
///
/// # Errors
/// INVITATION_INVALID.
pub(super) async fn redeem(tx: &Tx, token: &str, email: &str) -> Result<Model> {
    let found = Entity::find().filter(Column::TokenHash.eq(sha256_hex(token)));
    let row = tx.locked(found).one(tx).await?;
    let now = tx.now().await?;
    let row = row.filter(|row| row.expire_time > now && row.email == email);
    let row = row.ok_or_else(|| {
        Error::rejected(
            Reason::InvitationInvalid,
            "the invitation is unknown, was used before, was deleted, or has expired, or it is for another address",
        )
    })?;
    Entity::delete_by_id(&row.id).exec(tx).await?;
    requests::forget(tx, std::slice::from_ref(&row.id)).await?;
    Ok(row)
}

/// Removes expired invitations.
pub(super) async fn purge(store: &Store, now: Millis) -> Result<()> {
    store
        .write(move |tx| {
            async move {
                let expired = Entity::delete_many().filter(Column::ExpireTime.lte(now));
                expired.exec(tx).await?;
                Ok(())
            }
            .boxed()
        })
        .await
}
