//! `ImportWardrobe` and `GetWardrobeImport`.

use futures::FutureExt;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use serde::Serialize;

use super::{ImportState, WardrobeImport};
use crate::accounts::{self, AccountState};
use crate::events::{Kind, PendingEvent};
use crate::identity::Caller;
use crate::jobs::{self, NewJob};
use crate::paging::{self, Order, Page, PageQuery, PageRequest, Position};
use crate::store::entities::wardrobe_imports::{self, Column, Entity};
use crate::store::{OfWorkspace, Tx};
use crate::{Context, Error, Reason, Result, requests};

/// The parameters of `ImportWardrobe`.
#[derive(Clone, Debug, Serialize)]
pub struct ImportWardrobe {
    pub account_id: String,
    #[serde(skip)]
    pub request_id: Option<String>,
}

const METHOD: &str = "ImportWardrobe";

/// Requests a reading of an account's wardrobe. If an import of the account has not ended, returns that import.
///
/// # Errors
/// ACCOUNT_PAUSED.
pub async fn import(context: &Context, caller: &Caller, import: ImportWardrobe) -> Result<WardrobeImport> {
    let workspace_id = caller.workspace_id.clone();
    let id = context
        .store
        .write(move |tx| {
            let (workspace_id, import) = (workspace_id.clone(), import.clone());
            async move {
                let request_id = import.request_id.as_deref();
                if let Some(id) = requests::check(tx, &workspace_id, request_id, METHOD, &import).await? {
                    return Ok(id);
                }
                let id = request(tx, &workspace_id, &import.account_id).await?;
                requests::remember(tx, &workspace_id, request_id, METHOD, &import, &id).await?;
                Ok(id)
            }
            .boxed()
        })
        .await?;
    get(context, caller, &id).await
}

/// Returns the account's unfinished import or creates one. The account's row is locked, so that concurrent callers get
/// the same import.
async fn request(tx: &Tx, workspace_id: &str, account_id: &str) -> Result<String> {
    let account = accounts::load(tx, workspace_id, account_id).await?;
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
            "the account is paused; check its pause reason, then call ResumeAccount",
        )
        .with("account_id", &account.id)
        .with("pause_reason", account.pause_reason.clone().unwrap_or_default()));
    }
    let now = tx.now().await?;
    let row = wardrobe_imports::Model {
        id: tx.id(),
        workspace_id: workspace_id.to_owned(),
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
        workspace_id: Some(row.workspace_id.clone()),
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

/// Returns an import of the caller's workspace.
pub async fn get(context: &Context, caller: &Caller, id: &str) -> Result<WardrobeImport> {
    let row = Entity::find_by_id(id)
        .of_workspace(&caller.workspace_id)
        .one(context.store.reader())
        .await?;
    row.map(WardrobeImport::from)
        .ok_or_else(|| Error::not_found("wardrobe import", id))
}

/// Lists the caller's imports, newest first.
pub async fn list(context: &Context, caller: &Caller, page: &PageRequest) -> Result<Page<WardrobeImport>> {
    let method = (caller.workspace_id.as_str(), "ListWardrobeImports");
    let window = PageQuery::<Position>::open(&context.keys, paging::RESOURCES, method, &(), page)?;
    let mut query = Entity::find().of_workspace(&caller.workspace_id);
    if let Some(condition) = window.condition(Column::CreateTime, Column::Id, Order::NewestFirst) {
        query = query.filter(condition);
    }
    let rows = query
        .order_by_desc(Column::CreateTime)
        .order_by_desc(Column::Id)
        .limit(window.to_read())
        .all(context.store.reader())
        .await?;
    let imports = rows.into_iter().map(WardrobeImport::from).collect();
    window.close(&context.keys, imports, |import| {
        (import.create_time, import.id.clone())
    })
}
