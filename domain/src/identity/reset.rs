//! `RequestPasswordReset`, `ResetPassword`.

use futures::FutureExt;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::mail_tokens::{self, Purpose};
use super::{Client, Mail, Password, attempts, email, sessions, user};
use crate::store::entities::users;
use crate::{Context, Error, Result};

/// Mails a token for [`reset_password`] to a person. The work is done in the background, so that the duration of the
/// call does not tell whether the person exists.
///
/// # Errors
/// A violation of `email`; RATE_LIMITED.
pub async fn request_password_reset(context: &Context, client: &Client, email: &str) -> Result<()> {
    let address = email::normalize(email);
    if let Some(violation) = email::check("email", &address) {
        return Err(Error::Invalid(vec![violation]));
    }
    attempts::begin(context, &attempts::of_mail(context, client, &address)).await?;
    let context = context.clone();
    tokio::spawn(async move {
        if let Err(error) = mail(&context, &address).await {
            tracing::error!(%error, "the reset of a password could not be prepared");
        }
    });
    Ok(())
}

async fn mail(context: &Context, address: &str) -> Result<()> {
    let row = users::Entity::find()
        .filter(users::Column::Email.eq(address))
        .one(context.store.reader())
        .await?
        .filter(|row| row.disable_time.is_none());
    let Some(row) = row else { return Ok(()) };
    let token = mail_tokens::create(
        context,
        Purpose::ResetPassword,
        Some(&row.id),
        address,
        String::new(),
    )
    .await?;
    let link = context.people.link("reset-password", &token);
    context.people.post(Mail {
        to: row.email,
        subject: "Reset your password".to_owned(),
        text: format!(
            "Hello {},\n\nto set a new password, open this link within one hour:\n\n{link}\n\nOr call ResetPassword \
             with this token:\n\n{}\n\nIf you did not ask for this, ignore this mail.\n",
            row.display_name, *token
        ),
    });
    Ok(())
}

/// Sets a new password and ends all sessions of the person.
///
/// # Errors
/// LINK_INVALID; a violation of `new_password`; RATE_LIMITED.
pub async fn reset_password(context: &Context, client: &Client, token: &str, new: Password) -> Result<()> {
    if let Some(violation) = new.check_length("new_password") {
        return Err(Error::Invalid(vec![violation]));
    }
    let counters = attempts::of_client(context, client);
    attempts::begin(context, &counters).await?;
    let hash = context
        .people
        .hasher
        .hash_new(&new, "new_password", &[], &*context.ids);
    let hash = attempts::judged(context, &counters, hash.await).await?;
    let token = token.to_owned();
    context
        .store
        .write(move |tx| {
            let (hash, token) = (hash.clone(), token.clone());
            async move {
                let link = mail_tokens::redeem(tx, &token, &[Purpose::ResetPassword]).await?;
                let id = link.user_id.ok_or_else(mail_tokens::invalid)?;
                let row = tx.locked(users::Entity::find_by_id(&id)).one(tx).await?;
                let mut row = row
                    // The address may have changed since, because somebody else reads the old mailbox.
                    .filter(|row| row.disable_time.is_none() && row.email == link.email)
                    .ok_or_else(mail_tokens::invalid)?;
                row.password_hash = hash;
                sessions::end_all(tx, &row.id, None).await?;
                mail_tokens::forget(tx, &row.id).await?;
                // Earlier failures no longer count, because the person has proven access to the mailbox.
                attempts::forget(tx, &row.email).await?;
                user::save(tx, row).await
            }
            .boxed()
        })
        .await?;
    attempts::forgive(context, &counters).await
}
