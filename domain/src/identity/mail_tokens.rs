//! Mailed tokens, which work once: for the verification of an address and the reset of a password.

use futures::FutureExt;
use sea_orm::{ColumnTrait, DeriveActiveEnum, EntityTrait, EnumIter, IntoActiveModel, QueryFilter};
use zeroize::Zeroizing;

use super::secret;
use crate::clock::Millis;
use crate::keys::sha256_hex;
use crate::store::entities::mail_tokens::{Column, Entity, Model};
use crate::store::{Store, Tx};
use crate::{Context, Error, Reason, Result};

/// The prefix of every mailed token.
const PREFIX: &str = "vbm_";
/// How long a token that resets a password or changes an address works.
const SHORT: Millis = 3_600_000;
/// How long a token that completes a registration works.
const LONG: Millis = 24 * 3_600_000;

/// The purpose of a mailed token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Purpose {
    Register,
    ChangeEmail,
    ResetPassword,
}

/// Creates a token. It replaces earlier ones of the same person and purpose.
pub(super) async fn create(
    context: &Context,
    purpose: Purpose,
    user_id: Option<&str>,
    email: &str,
    payload: String,
) -> Result<Zeroizing<String>> {
    let token = secret::random_token(&*context.ids, PREFIX);
    let lifetime = match purpose {
        Purpose::Register => LONG,
        Purpose::ChangeEmail | Purpose::ResetPassword => SHORT,
    };
    let row = Model {
        hash: sha256_hex(token.as_bytes()),
        purpose,
        user_id: user_id.map(str::to_owned),
        email: email.to_owned(),
        payload,
        expire_time: context.store.now().await? + lifetime,
    };
    context
        .store
        .write(move |tx| {
            let row = row.clone();
            async move {
                // Registrations do not replace each other, because a stranger may register the same address.
                if let Some(user_id) = &row.user_id {
                    let earlier = Entity::delete_many()
                        .filter(Column::Purpose.eq(purpose))
                        .filter(Column::UserId.eq(user_id.as_str()));
                    earlier.exec(tx).await?;
                }
                Entity::insert(row.into_active_model())
                    .exec_without_returning(tx)
                    .await?;
                Ok(())
            }
            .boxed()
        })
        .await?;
    Ok(token)
}

/// Uses up a token.
///
/// # Errors
/// LINK_INVALID if the token is unknown, was used before, has expired, or has none of the purposes.
pub(super) async fn redeem(tx: &Tx, token: &str, purposes: &[Purpose]) -> Result<Model> {
    let hash = sha256_hex(token.trim());
    let row = tx.locked(Entity::find_by_id(&hash)).one(tx).await?;
    let now = tx.now().await?;
    let row = row
        .filter(|row| purposes.contains(&row.purpose) && row.expire_time > now)
        .ok_or_else(invalid)?;
    Entity::delete_by_id(&hash).exec(tx).await?;
    Ok(row)
}

/// Removes all tokens of a person.
pub(super) async fn forget(tx: &Tx, user_id: &str) -> Result<()> {
    let of_user = Entity::delete_many().filter(Column::UserId.eq(user_id));
    of_user.exec(tx).await?;
    Ok(())
}

/// Removes expired tokens.
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

/// The refusal of a mailed token.
pub(super) fn invalid() -> Error {
    Error::rejected(
        Reason::LinkInvalid,
        "the mailed token is unknown, was used before, or has expired; ask for a new one",
    )
}
