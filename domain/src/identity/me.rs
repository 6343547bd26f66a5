//! `GetMe`, `UpdateMe`, `ChangePassword`, `ChangeEmail`.

use futures::FutureExt;
use sea_orm::EntityTrait;
use vintedbot_marketplace::text;

use super::mail_tokens::{self, Purpose};
use super::{ApiToken, Caller, Mail, Password, User, UserSession, attempts, email, sessions, sign_in, user};
use crate::store::entities::{api_tokens, user_sessions, users, workspaces};
use crate::{Context, Error, Result, store};

/// The caller.
#[derive(Clone, Debug)]
pub struct Me {
    pub workspace_name: String,
    /// Absent for a signed-in person.
    pub token: Option<ApiToken>,
    /// Absent for an API token.
    pub user: Option<User>,
    /// Absent for an API token.
    pub session: Option<UserSession>,
}

/// Returns the caller.
pub async fn get_me(context: &Context, caller: &Caller) -> Result<Me> {
    let reader = context.store.reader();
    let workspace = workspaces::Entity::find_by_id(&caller.workspace_id)
        .one(reader)
        .await?;
    let workspace =
        workspace.ok_or_else(|| Error::Internal(format!("workspace {} is gone", caller.workspace_id)))?;
    let mut me = Me {
        workspace_name: workspace.name,
        token: None,
        user: None,
        session: None,
    };
    let id = &caller.credential_id;
    match &caller.person {
        None => {
            let token = api_tokens::Entity::find_by_id(id).one(reader).await?;
            me.token = Some(token.ok_or_else(|| Error::not_found("API token", id))?.into());
        }
        Some(person) => {
            let session = user_sessions::Entity::find_by_id(id).one(reader).await?;
            me.session = Some(session.ok_or_else(|| Error::not_found("session", id))?.into());
            let user = users::Entity::find_by_id(&person.user_id).one(reader).await?;
            me.user = Some(
                user.ok_or_else(|| Error::not_found("user", &person.user_id))?
                    .into(),
            );
        }
    }
    Ok(me)
}

/// Checks the caller's password. A session alone does not suffice, because a stranger may find an open browser.
///
/// # Errors
/// PERSON_REQUIRED; CREDENTIALS_INVALID; RATE_LIMITED.
pub(super) async fn prove(context: &Context, caller: &Caller, password: &Password) -> Result<users::Model> {
    let row = read(context, caller).await?;
    let counters = attempts::of_password(context, &row.id);
    attempts::begin(context, &counters).await?;
    let hash = Some(row.password_hash.as_str());
    if !attempts::judged(
        context,
        &counters,
        context.people.hasher.verify(password, hash).await,
    )
    .await?
    {
        return Err(sign_in::invalid());
    }
    attempts::forgive(context, &counters).await?;
    Ok(row)
}

async fn read(context: &Context, caller: &Caller) -> Result<users::Model> {
    let id = &caller.person()?.user_id;
    let row = users::Entity::find_by_id(id).one(context.store.reader()).await?;
    row.ok_or_else(|| Error::not_found("user", id))
}

/// Changes the caller's display name.
///
/// # Errors
/// PERSON_REQUIRED; a violation of `display_name`.
pub async fn update_me(context: &Context, caller: &Caller, display_name: &str) -> Result<User> {
    let name = text::normalize_name(display_name).trim().to_owned();
    if let Some(violation) = user::check_name("display_name", &name) {
        return Err(Error::Invalid(vec![violation]));
    }
    let (workspace_id, user_id) = (caller.workspace_id.clone(), caller.person()?.user_id.clone());
    context
        .store
        .write(move |tx| {
            let (workspace_id, user_id, name) = (workspace_id.clone(), user_id.clone(), name.clone());
            async move {
                let mut row = user::lock(tx, &workspace_id, &user_id).await?;
                row.display_name = name;
                user::save(tx, row).await
            }
            .boxed()
        })
        .await?;
    Ok(read(context, caller).await?.into())
}

/// Changes the caller's password, and ends all other sessions and mailed links of the caller.
///
/// # Errors
/// PERSON_REQUIRED; CREDENTIALS_INVALID if the current password is wrong; a violation of `new_password`; RATE_LIMITED.
pub async fn change_password(
    context: &Context,
    caller: &Caller,
    current: Password,
    new: Password,
) -> Result<()> {
    if let Some(violation) = new.check_length("new_password") {
        return Err(Error::Invalid(vec![violation]));
    }
    let row = prove(context, caller, &current).await?;
    let known = [row.email.as_str(), row.display_name.as_str()];
    let hasher = &context.people.hasher;
    let hash = hasher
        .hash_new(&new, "new_password", &known, &*context.ids)
        .await?;
    let session_id = caller.credential_id.clone();
    let (to, name) = (row.email.clone(), row.display_name.clone());
    context
        .store
        .write(move |tx| {
            let (proven, hash, session_id) = (row.clone(), hash.clone(), session_id.clone());
            async move {
                let mut row = user::lock(tx, &proven.workspace_id, &proven.id).await?;
                if row.password_hash != proven.password_hash {
                    return Err(sign_in::invalid());
                }
                row.password_hash = hash;
                sessions::end_all(tx, &row.id, Some(&session_id)).await?;
                mail_tokens::forget(tx, &row.id).await?;
                user::save(tx, row).await
            }
            .boxed()
        })
        .await?;
    context.people.post(Mail {
        to,
        subject: "Your password was changed".to_owned(),
        text: format!(
            "Hello {name},\n\nthe password of your vintedbot account was changed. If that was not you, reset the \
             password at once, and then look through your API tokens, webhook endpoints and invitations.\n"
        ),
    });
    Ok(())
}

/// Mails a token for `VerifyEmail` to a new address of the caller. If the address is taken, nothing is mailed, and the
/// answer is the same.
///
/// # Errors
/// PERSON_REQUIRED; CREDENTIALS_INVALID if the password is wrong; a violation of `new_email`; RATE_LIMITED.
pub async fn change_email(
    context: &Context,
    caller: &Caller,
    new_email: &str,
    password: Password,
) -> Result<()> {
    let address = email::normalize(new_email);
    if let Some(violation) = email::check("new_email", &address) {
        return Err(Error::Invalid(vec![violation]));
    }
    let row = prove(context, caller, &password).await?;
    attempts::begin(context, &attempts::of_mail_by(&caller.workspace_id, &address)).await?;
    let token = mail_tokens::create(
        context,
        Purpose::ChangeEmail,
        Some(&row.id),
        &address,
        String::new(),
    )
    .await?;
    if store::of_all_workspaces(user::is_taken(context.store.reader(), &address)).await? {
        return Ok(());
    }
    let link = context.people.link("verify-email", &token);
    context.people.post(Mail {
        to: address,
        subject: "Confirm your new address".to_owned(),
        text: format!(
            "Hello {},\n\nto use this address for your vintedbot account, open this link within one hour:\n\n{link}\n\n\
             Or call VerifyEmail with this token:\n\n{}\n\nIf you did not ask for this, ignore this mail.\n",
            row.display_name, *token
        ),
    });
    Ok(())
}
