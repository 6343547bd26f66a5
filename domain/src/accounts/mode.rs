//! `SetMode`: changes the mode of an account and thereby its site.

use futures::FutureExt;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QuerySelect};
use serde::Serialize;
use vintedbot_marketplace::markets::Market;

use super::account::{load, save, site_of};
use super::{Account, Mode, connection, open, second, session};
use crate::events::Kind;
use crate::identity::Caller;
use crate::publishing::State;
use crate::store::entities::{accounts, publish_jobs};
use crate::store::{Store, Tx};
use crate::{Context, Error, Reason, Result, requests};

/// A change of mode.
#[derive(Clone, Debug, Serialize)]
pub struct SetMode {
    pub id: String,
    pub mode: Mode,
    /// Whether a person has read the safety notes and lets rules and schedules act in their name. Required for
    /// AUTOMATED.
    pub automated_acknowledged: bool,
    /// Whether a person knows the site's rule about several accounts.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub second_account_acknowledged: bool,
    #[serde(skip)]
    pub request_id: Option<String>,
}

const METHOD: &str = "SetMode";

/// Changes the mode and cancels publish jobs, replies and thread removals without a committed intent. Returns the
/// account and the ids of the cancelled publish jobs. A repeated call returns the account only.
///
/// # Errors
/// ACKNOWLEDGEMENT_REQUIRED for AUTOMATED without `automated_acknowledged`, and for a second account on a site without
/// `second_account_acknowledged`.
pub async fn set_mode(context: &Context, caller: &Caller, set: SetMode) -> Result<(Account, Vec<String>)> {
    if set.mode == Mode::Automated && !set.automated_acknowledged {
        return Err(Error::rejected(
            Reason::AcknowledgementRequired,
            "AUTOMATED lets rules and schedules act for you; read the safety notes, then set automated_acknowledged",
        ));
    }
    let (workspace_id, id) = (caller.workspace_id.clone(), set.id.clone());
    let cancelled = context
        .store
        .write(move |tx| {
            let (workspace_id, set) = (workspace_id.clone(), set.clone());
            async move {
                let request_id = set.request_id.as_deref();
                if requests::check(tx, &workspace_id, request_id, METHOD, &set)
                    .await?
                    .is_some()
                {
                    return Ok(Vec::new());
                }
                let row = load(tx, &workspace_id, &set.id).await?;
                if row.mode == Mode::Mock && !set.second_account_acknowledged {
                    let site = site_of(set.mode, market_of(&row)?);
                    second::refuse(tx, &workspace_id, set.mode, &site, Some(&row.id)).await?;
                }
                let cancelled = if row.mode == set.mode {
                    Vec::new()
                } else {
                    change(tx, row, set.mode).await?
                };
                requests::remember(tx, &workspace_id, request_id, METHOD, &set, &set.id).await?;
                Ok(cancelled)
            }
            .boxed()
        })
        .await?;
    Ok((super::get(context, caller, &id).await?, cancelled))
}

async fn change(tx: &Tx, row: accounts::Model, mode: Mode) -> Result<Vec<String>> {
    let site = site_of(mode, market_of(&row)?);
    let moved = site != row.site;
    let mut row = accounts::Model { mode, site, ..row };
    if moved {
        // The member on the new site is unknown, unless a session for that site is stored.
        row = session::moved(tx, row).await?;
        connection::queue(tx, &row).await?;
    }
    let id = row.id.clone();
    save(tx, row, Kind::AccountModeChanged).await?;

    let open_jobs = publish_jobs::Entity::find()
        .select_only()
        .column(publish_jobs::Column::Id)
        .filter(publish_jobs::Column::AccountId.eq(id.as_str()))
        .filter(publish_jobs::Column::State.is_not_in(State::ENDED));
    let open_jobs: Vec<String> = open_jobs.into_tuple().all(tx).await?;
    open::cancel(tx, &id, Reason::ModeChanged, "the account's mode was changed").await?;
    let stopped = Condition::any()
        .add(publish_jobs::Column::State.eq(State::Cancelled))
        .add(publish_jobs::Column::CancelRequested.eq(true));
    Ok(publish_jobs::Entity::find()
        .select_only()
        .column(publish_jobs::Column::Id)
        .filter(publish_jobs::Column::Id.is_in(open_jobs))
        .filter(stopped)
        .into_tuple()
        .all(tx)
        .await?)
}

fn market_of(row: &accounts::Model) -> Result<&'static Market> {
    Market::find(&row.market)
        .ok_or_else(|| Error::Internal(format!("account {} has no known market", row.id)))
}

/// Returns whether any account is in mock mode. Deleted accounts count too.
pub async fn any_mock(store: &Store) -> Result<bool> {
    let found = accounts::Entity::find()
        .filter(accounts::Column::Mode.eq(Mode::Mock))
        .one(store.reader())
        .await?;
    Ok(found.is_some())
}
