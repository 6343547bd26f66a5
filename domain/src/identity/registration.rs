//! `Register`, `VerifyEmail`.

use futures::FutureExt;
use sea_orm::{ConnectionTrait, EntityTrait, PaginatorTrait, QueryOrder};
use serde::{Deserialize, Serialize};
use vintedbot_marketplace::text;

use super::mail_tokens::{self, Purpose};
use super::user::{self, NewPerson};
use super::{Client, Mail, Password, Role, attempts, email, invitations, workspace};
use crate::settings;
use crate::store::entities::{accounts, users, workspaces};
use crate::store::{OfWorkspace, Tx};
use crate::{Context, Error, Reason, Result, is_plain};

/// The parameters of a registration.
#[derive(Clone, Debug)]
pub struct Registration {
    pub email: String,
    pub password: Password,
    pub display_name: String,
    /// Empty: the display name.
    pub workspace_name: String,
    /// Empty: none.
    pub invitation_token: String,
}

/// A registration that waits for the verification of its address.
#[derive(Serialize, Deserialize)]
struct Pending {
    password_hash: String,
    display_name: String,
    workspace_name: String,
}

/// Registers a person. Returns whether the address has to be verified first.
///
/// Without an invitation, the answer and its duration do not tell whether the address has a person: the password is
/// hashed in any case, and the rest is done in the background.
///
/// # Errors
/// All violations at once; REGISTRATION_CLOSED; INVITATION_INVALID; EMAIL_TAKEN with an invitation; RATE_LIMITED.
pub async fn register(context: &Context, client: &Client, registration: Registration) -> Result<bool> {
    let address = email::normalize(&registration.email);
    let name = text::normalize_name(&registration.display_name).trim().to_owned();
    let workspace_name = text::normalize_name(&registration.workspace_name)
        .trim()
        .to_owned();
    let mut violations = Vec::new();
    violations.extend(email::check("email", &address));
    violations.extend(registration.password.check_length("password"));
    violations.extend(user::check_name("display_name", &name));
    if text::length(&workspace_name) > user::NAME_MAX || !is_plain(&workspace_name) {
        violations.push(crate::Violation::new(
            "workspace_name",
            format!(
                "must have at most {} characters, none of them a control character",
                user::NAME_MAX
            ),
        ));
    }
    if !violations.is_empty() {
        return Err(Error::Invalid(violations));
    }
    let invitation_token = registration.invitation_token.trim().to_owned();
    let is_invited = !invitation_token.is_empty();
    require_open(context, is_invited).await?;
    let counters = if is_invited {
        attempts::of_client(context, client)
    } else {
        attempts::of_mail(context, client, &address)
    };
    attempts::begin(context, &counters).await?;
    let known = [address.as_str(), name.as_str()];
    let hasher = &context.people.hasher;
    let password_hash = hasher.hash_new(&registration.password, "password", &known, &*context.ids);
    let password_hash = attempts::judged(context, &counters, password_hash.await).await?;
    if is_invited {
        let new = (address, name, password_hash);
        accept_invitation(context, invitation_token, new).await?;
        return Ok(false);
    }
    let pending = Pending {
        password_hash,
        workspace_name: if workspace_name.is_empty() {
            name.clone()
        } else {
            workspace_name
        },
        display_name: name,
    };
    let context = context.clone();
    tokio::spawn(async move {
        if let Err(error) = mail(&context, address, &pending).await {
            tracing::error!(%error, "a registration could not be prepared");
        }
    });
    Ok(true)
}

async fn require_open(context: &Context, is_invited: bool) -> Result<()> {
    let allows = match context.settings.people.registration {
        settings::Registration::Open => true,
        settings::Registration::Invitation => is_invited,
        settings::Registration::Off => false,
    };
    if allows || adoptable(context.store.reader()).await?.is_some() {
        return Ok(());
    }
    Err(Error::rejected(
        Reason::RegistrationClosed,
        "people cannot register here, or only with an invitation; ask for an invitation",
    ))
}

async fn accept_invitation(
    context: &Context,
    token: String,
    (address, display_name, password_hash): (String, String, String),
) -> Result<()> {
    context
        .store
        .write(move |tx| {
            let (token, email) = (token.clone(), address.clone());
            let (display_name, password_hash) = (display_name.clone(), password_hash.clone());
            async move {
                user::lock_creations(tx).await?;
                let invitation = invitations::redeem(tx, &token, &email).await?;
                if user::is_taken(tx, &email).await? {
                    return Err(taken());
                }
                let new = NewPerson {
                    workspace_id: invitation.workspace_id,
                    email,
                    display_name,
                    role: invitation.role,
                    password_hash,
                };
                user::create(tx, new).await?;
                Ok(())
            }
            .boxed()
        })
        .await
}

/// The mail contains nothing that a stranger wrote, so that the server cannot be used to send messages.
async fn mail(context: &Context, to: String, pending: &Pending) -> Result<()> {
    let mail = if user::is_taken(context.store.reader(), &to).await? {
        Mail {
            to,
            subject: "You already have an account".to_owned(),
            text: "Hello,\n\nsomebody tried to register this address with vintedbot, but it already has an \
                 account. Sign in, or reset the password if you forgot it.\n\nIf that was not you, ignore this mail.\n"
                .to_owned(),
        }
    } else {
        let payload = serde_json::to_string(pending)?;
        let token = mail_tokens::create(context, Purpose::Register, None, &to, payload).await?;
        let link = context.people.link("verify-email", &token);
        Mail {
            to,
            subject: "Confirm your address".to_owned(),
            text: format!(
                "Hello,\n\nto complete your registration with vintedbot, open this link within 24 \
                 hours:\n\n{link}\n\nOr call VerifyEmail with this token:\n\n{}\n\nIf you did not register, ignore \
                 this mail.\n",
                *token
            ),
        }
    };
    context.people.post(mail);
    Ok(())
}

/// Completes a registration or a change of address. Returns the verified address.
///
/// # Errors
/// LINK_INVALID, also if the address got a person in the meantime; RATE_LIMITED.
pub async fn verify_email(context: &Context, client: &Client, token: &str) -> Result<String> {
    let counters = attempts::of_client(context, client);
    attempts::begin(context, &counters).await?;
    let token = token.to_owned();
    let is_open = context.settings.people.registration == settings::Registration::Open;
    let (address, before) = context
        .store
        .write(move |tx| {
            let token = token.clone();
            async move {
                user::lock_creations(tx).await?;
                let link =
                    mail_tokens::redeem(tx, &token, &[Purpose::Register, Purpose::ChangeEmail]).await?;
                if user::is_taken(tx, &link.email).await? {
                    return Err(mail_tokens::invalid());
                }
                let address = link.email.clone();
                let Some(user_id) = link.user_id else {
                    complete(tx, is_open, link.email, serde_json::from_str(&link.payload)?).await?;
                    return Ok((address, None));
                };
                let row = tx.locked(users::Entity::find_by_id(&user_id)).one(tx).await?;
                let mut row = row.ok_or_else(mail_tokens::invalid)?;
                let before = std::mem::replace(&mut row.email, link.email);
                // The old mailbox must not reset the password any more.
                mail_tokens::forget(tx, &row.id).await?;
                user::save(tx, row).await?;
                Ok((address, Some(before)))
            }
            .boxed()
        })
        .await?;
    attempts::forgive(context, &counters).await?;
    if let Some(to) = before {
        context.people.post(Mail {
            to,
            subject: "Your address was changed".to_owned(),
            text: format!(
                "Hello,\n\nyour vintedbot account now has the address {address}. If that was not you, ask the operator \
                 of the server for help.\n"
            ),
        });
    }
    Ok(address)
}

/// Creates the person of a registration. The first person of an instance becomes the owner of its first workspace, unless
/// that has accounts: then only the operator can say whose they are.
///
/// # Errors
/// LINK_INVALID if somebody else was first, and registration is not open.
async fn complete(tx: &Tx, is_open: bool, email: String, pending: Pending) -> Result<()> {
    let workspace_id = match adoptable(tx).await? {
        Some(id) => id,
        None if is_open => workspace::create(tx, &pending.workspace_name).await?,
        None => return Err(mail_tokens::invalid()),
    };
    let new = NewPerson {
        workspace_id,
        email,
        display_name: pending.display_name,
        role: Role::Owner,
        password_hash: pending.password_hash,
    };
    user::create(tx, new).await?;
    Ok(())
}

/// Returns the workspace that the first person of the instance gets. `None`: there are people, or it has accounts.
async fn adoptable(connection: &impl ConnectionTrait) -> Result<Option<String>> {
    if users::Entity::find().count(connection).await? > 0 {
        return Ok(None);
    }
    let Some(id) = first_workspace(connection).await? else {
        return Ok(None);
    };
    let accounts = accounts::Entity::find()
        .of_workspace(&id)
        .count(connection)
        .await?;
    Ok((accounts == 0).then_some(id))
}

/// Returns the id of the oldest workspace.
pub(crate) async fn first_workspace(connection: &impl ConnectionTrait) -> Result<Option<String>> {
    let first = workspaces::Entity::find()
        .order_by_asc(workspaces::Column::CreateTime)
        .one(connection)
        .await?;
    Ok(first.map(|workspace| workspace.id))
}

pub(super) fn taken() -> Error {
    Error::rejected(Reason::EmailTaken, "this address already has a person")
}
