//! `ImportWardrobe` and `GetWardrobeImport`.

use futures::FutureExt;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use serde::Serialize;

use super::{ImportState, WardrobeImport};
use crate::accounts::{self, AccountState};
use crate::events::{Kind, PendingEvent};
use crate::identity::Caller;
use crate::jobs::{self, NewJob};
use crate::paging::{self, Order, Page, PageRequest, Place, Window};
use crate::store::Tx;
use crate::store::entities::wardrobe_imports::{self, Column, Entity};
use crate::{Domain, Error, Reason, Result, requests};

/// Whose wardrobe to read.
#[derive(Clone, Debug, Serialize)]
pub struct ImportWardrobe {
    pub account_id: String,
    #[serde(skip)]
    pub request_id: Option<String>,
}

const METHOD: &str = "ImportWardrobe";

/// Asks for an account's wardrobe to be read. While an import of the account is under way, it is the answer.
///
/// # Errors
/// ACCOUNT_PAUSED.
pub async fn import(domain: &Domain, caller: &Caller, import: ImportWardrobe) -> Result<WardrobeImport> {
    let owner_id = caller.owner_id.clone();
    let id = domain
        .store
        .write(move |tx| {
            let (owner_id, import) = (owner_id.clone(), import.clone());
            async move {
                let request_id = import.request_id.as_deref();
                if let Some(id) = requests::check(tx, &owner_id, request_id, METHOD, &import).await? {
                    return Ok(id);
                }
                let id = ask(tx, &owner_id, &import.account_id).await?;
                requests::remember(tx, &owner_id, request_id, METHOD, &import, &id).await?;
                Ok(id)
            }
            .boxed()
        })
        .await?;
    get(domain, caller, &id).await
}

/// The account's row is locked, so that of two callers at once the second finds what the first has made.
async fn ask(tx: &Tx, owner_id: &str, account_id: &str) -> Result<String> {
    let account = accounts::load(tx, owner_id, account_id).await?;
    let under_way = Entity::find()
        .filter(Column::AccountId.eq(account_id))
        .filter(Column::State.is_in([ImportState::Queued, ImportState::Running]))
        .one(tx)
        .await?;
    if let Some(under_way) = under_way {
        return Ok(under_way.id);
    }
    if account.state == AccountState::Paused {
        return Err(Error::rejected(
            Reason::AccountPaused,
            "the account is paused; look at why, then call ResumeAccount",
        )
        .with("account_id", &account.id)
        .with("pause_reason", account.pause_reason.clone().unwrap_or_default()));
    }
    let now = tx.now().await?;
    let row = wardrobe_imports::Model {
        id: tx.id(),
        owner_id: owner_id.to_owned(),
        account_id: account_id.to_owned(),
        state: ImportState::Queued,
        total: 0,
        done: 0,
        created: 0,
        differing: 0,
        failed: 0,
        problems: "[]".to_owned(),
        reason: None,
        message: None,
        create_time: now,
        end_time: None,
        sequence: 0,
    };
    Entity::insert(row.clone().into_active_model())
        .exec_without_returning(tx)
        .await?;
    let job = NewJob {
        kind: jobs::Kind::ImportWardrobe,
        owner_id: Some(row.owner_id.clone()),
        account_id: Some(row.account_id.clone()),
        subject_id: row.id.clone(),
        due_time: now,
        unique_key: Some(format!("import/{}", row.id)),
    };
    jobs::enqueue(tx, job).await?;
    let id = row.id.clone();
    let import = WardrobeImport::from(row);
    tx.emit(PendingEvent::changed(Kind::WardrobeImportCreated, &import)?);
    Ok(id)
}

/// One import of the caller.
pub async fn get(domain: &Domain, caller: &Caller, id: &str) -> Result<WardrobeImport> {
    let row = Entity::find_by_id(id)
        .filter(Column::OwnerId.eq(caller.owner_id.as_str()))
        .one(domain.store.reader())
        .await?;
    row.map(WardrobeImport::from)
        .ok_or_else(|| Error::not_found("wardrobe import", id))
}

/// The caller's imports, newest first.
pub async fn list(domain: &Domain, caller: &Caller, page: &PageRequest) -> Result<Page<WardrobeImport>> {
    let method = (caller.owner_id.as_str(), "ListWardrobeImports");
    let window = Window::<Place>::open(&domain.keys, paging::RESOURCES, method, &(), page)?;
    let mut query = Entity::find().filter(Column::OwnerId.eq(caller.owner_id.as_str()));
    if let Some(condition) = window.condition(Column::CreateTime, Column::Id, Order::NewestFirst) {
        query = query.filter(condition);
    }
    let rows = query
        .order_by_desc(Column::CreateTime)
        .order_by_desc(Column::Id)
        .limit(window.to_read())
        .all(domain.store.reader())
        .await?;
    let imports = rows.into_iter().map(WardrobeImport::from).collect();
    window.close(&domain.keys, imports, |import| {
        (import.create_time, import.id.clone())
    })
}
