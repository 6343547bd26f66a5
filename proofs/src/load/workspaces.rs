//! Creates workspaces directly in the database of a stopped instance, because no call creates them.

use anyhow::Result;
use sea_orm::{ActiveModelTrait as _, ConnectionTrait as _, IntoActiveModel as _};
use vintedbot_domain::clock::{Clock as _, SystemClock};
use vintedbot_domain::identity::Scopes;
use vintedbot_domain::ids::{Ids as _, SystemIds};
use vintedbot_domain::keys::sha256_hex;
use vintedbot_domain::store::entities::api_tokens;

use crate::bench::fixture;

/// Creates workspaces. Returns a token of each.
pub async fn make(database_url: &str, count: usize) -> Result<Vec<String>> {
    let store = fixture::store(database_url).await?;
    let writer = store.writer();
    let mut secrets = Vec::new();
    for number in 0..count {
        let (id, now) = (SystemIds.id(), SystemClock.now());
        for statement in [
            format!(
                "INSERT INTO workspaces (id, name, create_time) VALUES ('{id}', 'seller {number}', {now})"
            ),
            format!("INSERT INTO event_heads (workspace_id, sequence, floor) VALUES ('{id}', 0, 0)"),
        ] {
            writer.execute_unprepared(&statement).await?;
        }
        // The form of a secret: 43 characters after the prefix.
        let secret = format!("vb_{:.43}", sha256_hex(SystemIds.id()));
        let token = api_tokens::Model {
            id: SystemIds.id(),
            workspace_id: id,
            name: "load".to_owned(),
            secret_hash: sha256_hex(secret.as_bytes()),
            scopes: serde_json::to_string(&Scopes::all())?,
            create_time: now,
            expire_time: None,
            last_use_time: None,
            revoke_time: None,
            sequence: 0,
            parent_id: None,
            successor_id: None,
        };
        token.into_active_model().insert(writer).await?;
        secrets.push(secret);
    }
    Ok(secrets)
}
