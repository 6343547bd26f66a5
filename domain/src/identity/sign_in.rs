//! `SignIn`.

use futures::FutureExt;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};

use super::{
    Client, Password, SessionTokens, User, UserSession, attempts, email, password, second_factor, sessions,
};
use crate::store::entities::users;
use crate::{Context, Error, Reason, Result};

/// The parameters of a sign-in.
#[derive(Clone, Debug)]
pub struct SignIn {
    pub email: String,
    pub password: Password,
    /// A code of the second factor. Empty: none.
    pub code: String,
}

/// A started session.
#[derive(Clone, Debug)]
pub struct SignedIn {
    pub user: User,
    pub session: UserSession,
    pub tokens: SessionTokens,
}

/// Signs a person in.
///
/// Neither the answer nor its duration tells whether the person exists: for an unknown person, the same attempts are
/// counted and a hash with the same parameters is computed.
///
/// # Errors
/// A violation of `password`; CREDENTIALS_INVALID; after the right password SECOND_FACTOR_REQUIRED and
/// SECOND_FACTOR_INVALID; RATE_LIMITED.
pub async fn sign_in(context: &Context, client: &Client, sign_in: SignIn) -> Result<SignedIn> {
    if let Some(violation) = sign_in.password.check_length("password") {
        return Err(Error::Invalid(vec![violation]));
    }
    let address = email::normalize(&sign_in.email);
    let counters = attempts::of_sign_in(context, client, &address);
    attempts::begin(context, &counters).await?;
    let row = users::Entity::find()
        .filter(users::Column::Email.eq(address))
        .one(context.store.reader())
        .await?
        .filter(|row| row.disable_time.is_none());
    let hash = row.as_ref().map(|row| row.password_hash.as_str());
    let matches = context.people.hasher.verify(&sign_in.password, hash).await;
    let matches = attempts::judged(context, &counters, matches).await?;
    let Some(row) = row.filter(|_| matches) else {
        return Err(invalid());
    };
    let renewed = renewed_hash(context, &row, &sign_in.password).await;
    let renewed = attempts::judged(context, &counters, renewed).await?;
    let of_code = match row.second_factor_enabled && !sign_in.code.is_empty() {
        true => attempts::of_code(context, &row.id),
        false => Vec::new(),
    };
    let begun = attempts::begin(context, &of_code).await;
    attempts::judged(context, &counters, begun).await?;
    let signed_in = start(context, client, row, sign_in.code, renewed).await;
    let signed_in = match signed_in {
        // The password was right, and no code was tried.
        Err(error) if error.reason() == Some(Reason::SecondFactorRequired) => {
            attempts::judged(context, &counters, Err(error)).await?
        }
        other => other?,
    };
    attempts::forgive(context, &[counters, of_code].concat()).await?;
    Ok(signed_in)
}

/// Returns a hash with current parameters if the stored one has others.
async fn renewed_hash(context: &Context, row: &users::Model, password: &Password) -> Result<Option<String>> {
    if !password::is_outdated(&row.password_hash) {
        return Ok(None);
    }
    let hasher = &context.people.hasher;
    hasher.hash(password, &*context.ids).await.map(Some)
}

async fn start(
    context: &Context,
    client: &Client,
    proven: users::Model,
    code: String,
    renewed: Option<String>,
) -> Result<SignedIn> {
    let lifetime = context.settings.people.session_ms;
    let (checked, client) = (context.clone(), client.clone());
    let (user, session) = context
        .store
        .write(move |tx| {
            let (context, client, proven) = (checked.clone(), client.clone(), proven.clone());
            let (code, renewed) = (code.clone(), renewed.clone());
            async move {
                let row = tx.locked(users::Entity::find_by_id(&proven.id)).one(tx).await?;
                // The password may have changed, or the person may be gone, since the hash was read.
                let mut row = row
                    .filter(|row| row.password_hash == proven.password_hash && row.disable_time.is_none())
                    .ok_or_else(invalid)?;
                second_factor::accept(&context, &mut row, &code, tx.now().await?)?;
                row.password_hash = renewed.unwrap_or(row.password_hash);
                row.clone().into_active_model().reset_all().update(tx).await?;
                let session = sessions::start(tx, &row, &client, lifetime).await?;
                Ok((row, session))
            }
            .boxed()
        })
        .await?;
    Ok(SignedIn {
        tokens: sessions::issue(context, &session)?,
        user: user.into(),
        session: session.into(),
    })
}

/// The refusal of an address with a password.
pub(super) fn invalid() -> Error {
    Error::rejected(
        Reason::CredentialsInvalid,
        "the address is unknown, the password is wrong, or the person is disabled",
    )
}
