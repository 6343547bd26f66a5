//! The second account of a workspace on one site.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::Mode;
use crate::store::entities::accounts::{Column, Entity};
use crate::store::{OfWorkspace, Tx};
use crate::{Error, Reason, Result};

/// Refuses an account that would be the second one on a site. Accounts in mode MOCK do not count, because they reach
/// only the practice site. `id` is the account itself, if it exists already.
///
/// # Errors
/// ACKNOWLEDGEMENT_REQUIRED.
pub(super) async fn refuse(
    tx: &Tx,
    workspace_id: &str,
    mode: Mode,
    site: &str,
    id: Option<&str>,
) -> Result<()> {
    if mode == Mode::Mock {
        return Ok(());
    }
    let others = Entity::find()
        .of_workspace(workspace_id)
        .filter(Column::Site.eq(site))
        .filter(Column::Mode.ne(Mode::Mock))
        .filter(Column::DeleteTime.is_null());
    let other = others
        .all(tx)
        .await?
        .into_iter()
        .find(|other| Some(other.id.as_str()) != id);
    match other {
        None => Ok(()),
        // The rule is in the site's terms (section 4) and in its help pages 92 and 1436, as read in November 2026.
        Some(other) => Err(Error::rejected(
            Reason::AcknowledgementRequired,
            "this would be the second account on the site, whose rules allow each person one personal and one Pro \
             account, with different e-mail addresses, and which blocks further accounts permanently; if that is what you \
             have, set second_account_acknowledged",
        )
        .with("account_id", other.id)),
    }
}
