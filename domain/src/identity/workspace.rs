//! Workspaces: their creation, and `DeleteWorkspace`.

use std::time::Duration;

use futures::FutureExt;
use sea_orm::sea_query::Value;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QueryOrder,
    Statement,
};

use super::{Caller, Password, me, revoke, sessions};
use crate::publishing::{EffectState, timeline};
use crate::store::entities::{accounts, effects, event_heads, jobs, users, workspaces};
use crate::store::{OfWorkspace, Tx};
use crate::{Context, Error, Reason, Result, inbox, media, search};

/// The time within which other processes notice that sessions have ended. They poll the event log twice a second.
const NOTICE: Duration = Duration::from_secs(2);

/// The tables with rows of a workspace, children first, each with the condition that selects them. `$1` is its id.
const TABLES: [(&str, &str); 31] = [
    (
        "webhook_attempts",
        "delivery_id IN (SELECT id FROM webhook_deliveries WHERE workspace_id = $1)",
    ),
    ("webhook_deliveries", OWN),
    ("webhook_endpoints", OWN),
    ("search_indexes", OWN),
    ("thread_labels", OWN),
    ("replies", OWN),
    ("messages", OWN),
    ("threads", OWN),
    ("people", OWN),
    ("inbox_syncs", OF_ACCOUNT),
    (
        "listing_photos",
        "listing_id IN (SELECT id FROM listings WHERE workspace_id = $1)",
    ),
    (
        "publish_steps",
        "publish_job_id IN (SELECT id FROM publish_jobs WHERE workspace_id = $1)",
    ),
    ("listing_form_sessions", OF_ACCOUNT),
    ("remote_items", OF_ACCOUNT),
    ("effects", OWN),
    ("publish_jobs", OWN),
    ("wardrobe_imports", OWN),
    ("listings", OWN),
    ("photos", OWN),
    ("sessions", OWN),
    ("account_locks", OF_ACCOUNT),
    ("jobs", OWN),
    ("templates", OWN),
    ("accounts", OWN),
    ("api_tokens", OWN),
    ("invitations", OWN),
    ("user_sessions", OWN),
    ("users", OWN),
    ("requests", OWN),
    ("events", OWN),
    ("event_heads", OWN),
];
const OWN: &str = "workspace_id = $1";
const OF_ACCOUNT: &str = "account_id IN (SELECT id FROM accounts WHERE workspace_id = $1)";

/// Creates a workspace with an empty event log. Returns its id.
pub(crate) async fn create(tx: &Tx, name: &str) -> Result<String> {
    let id = tx.id();
    let workspace = workspaces::ActiveModel {
        id: Set(id.clone()),
        name: Set(name.to_owned()),
        create_time: Set(tx.now().await?),
    };
    workspaces::Entity::insert(workspace)
        .exec_without_returning(tx)
        .await?;
    let head = event_heads::ActiveModel {
        workspace_id: Set(id.clone()),
        sequence: Set(0),
        floor: Set(0),
    };
    event_heads::Entity::insert(head)
        .exec_without_returning(tx)
        .await?;
    Ok(id)
}

/// Deletes the caller's workspace with everything in it. Nothing is changed on the marketplace.
///
/// First all sessions and API tokens end, so that no call and no stream remains. Then the files of publish jobs are
/// removed. Finally one transaction deletes the rows and marks the photos for deletion. After an interruption, or if a
/// job has started meanwhile, an owner can sign in and repeat the call.
///
/// # Errors
/// PERSON_REQUIRED; CREDENTIALS_INVALID; a violation of `workspace_name`; RESOURCE_IN_USE while an effect is open or a
/// job runs; RATE_LIMITED.
pub async fn delete_workspace(
    context: &Context,
    caller: &Caller,
    password: Password,
    workspace_name: &str,
) -> Result<()> {
    me::prove(context, caller, &password).await?;
    let me = me::get_me(context, caller).await?;
    if me.workspace_name != workspace_name.trim() {
        return Err(Error::invalid(
            "workspace_name",
            "is not the name of your workspace",
        ));
    }
    let workspace_id = caller.workspace_id.clone();
    let id = workspace_id.clone();
    let job_ids = context
        .store
        .write(move |tx| {
            let id = id.clone();
            async move { end_access(tx, &id).await }.boxed()
        })
        .await?;
    if context.store.backend() == DbBackend::Postgres {
        tokio::time::sleep(NOTICE).await;
    }
    for job_id in &job_ids {
        timeline::remove_files(context, job_id).await?;
    }
    context
        .store
        .write(move |tx| {
            let workspace_id = workspace_id.clone();
            async move { delete_rows(tx, &workspace_id).await }.boxed()
        })
        .await?;
    // If this fails, the schedule `file_removal` removes the marked files later.
    if let Err(error) = media::remove_marked(context).await {
        tracing::warn!(%error, "the photos of a deleted workspace could not be removed yet");
    }
    Ok(())
}

/// Ends all sessions and API tokens. Returns the ids of the publish jobs, which have files.
async fn end_access(tx: &Tx, workspace_id: &str) -> Result<Vec<String>> {
    refuse_open_work(tx, workspace_id).await?;
    let people = users::Entity::find()
        .of_workspace(workspace_id)
        .order_by_asc(users::Column::Id);
    for user in tx.locked(people).all(tx).await? {
        sessions::end_all(tx, &user.id, None).await?;
    }
    revoke::end_all(tx, workspace_id).await?;
    ids(tx, "publish_jobs", workspace_id).await
}

/// Checks that nothing acts for the workspace. The account rows are locked, so that no intent is committed meanwhile.
async fn refuse_open_work(tx: &Tx, workspace_id: &str) -> Result<()> {
    let accounts = accounts::Entity::find()
        .of_workspace(workspace_id)
        .order_by_asc(accounts::Column::Id);
    tx.locked(accounts).all(tx).await?;
    let open = effects::Entity::find()
        .of_workspace(workspace_id)
        .filter(effects::Column::State.is_in([EffectState::Intended, EffectState::Unconfirmed]));
    if open.one(tx).await?.is_some() {
        return Err(in_use(
            "an action on the marketplace is open; wait until it ends, or resolve it",
        ));
    }
    let running = jobs::Entity::find()
        .of_workspace(workspace_id)
        .filter(jobs::Column::LeaseUntil.gt(tx.now().await?));
    if running.one(tx).await?.is_some() {
        return Err(in_use("a job is running; repeat the call when it has ended"));
    }
    Ok(())
}

fn in_use(message: &str) -> Error {
    Error::rejected(Reason::ResourceInUse, message)
}

async fn delete_rows(tx: &Tx, workspace_id: &str) -> Result<()> {
    // A concurrent transaction that adds a row of the workspace waits for this lock, and fails after the commit.
    let workspace = workspaces::Entity::find_by_id(workspace_id);
    tx.locked(workspace).one(tx).await?;
    refuse_open_work(tx, workspace_id).await?;
    search::update::forget_threads(tx, &ids(tx, "threads", workspace_id).await?).await?;
    search::update::forget_people(tx, &ids(tx, "people", workspace_id).await?).await?;
    search::update::forget_listings(tx, &ids(tx, "listings", workspace_id).await?).await?;
    for account_id in ids(tx, "accounts", workspace_id).await? {
        inbox::sync::turns::forget(tx, &account_id).await?;
    }
    media::mark_all_for_deletion(tx, workspace_id).await?;
    let mail = "DELETE FROM mail_tokens WHERE user_id IN (SELECT id FROM users WHERE workspace_id = $1)";
    delete(tx, mail.to_owned(), workspace_id).await?;
    for (table, condition) in TABLES {
        delete(tx, format!("DELETE FROM {table} WHERE {condition}"), workspace_id).await?;
    }
    delete(
        tx,
        "DELETE FROM workspaces WHERE id = $1".to_owned(),
        workspace_id,
    )
    .await
}

async fn ids(tx: &Tx, table: &str, workspace_id: &str) -> Result<Vec<String>> {
    let sql = format!("SELECT id FROM {table} WHERE workspace_id = $1");
    let statement =
        Statement::from_sql_and_values(tx.get_database_backend(), sql, [Value::from(workspace_id)]);
    let rows = tx.query_all_raw(statement).await?;
    Ok(rows
        .iter()
        .map(|row| row.try_get("", "id"))
        .collect::<std::result::Result<_, _>>()?)
}

async fn delete(tx: &Tx, sql: String, workspace_id: &str) -> Result<()> {
    let statement =
        Statement::from_sql_and_values(tx.get_database_backend(), sql, [Value::from(workspace_id)]);
    tx.execute_raw(statement).await?;
    Ok(())
}
