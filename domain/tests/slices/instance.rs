use std::sync::Arc;

use sea_orm::{ConnectionTrait, EntityTrait};
use vintedbot_domain::ids::SystemIds;
use vintedbot_domain::instance::{self, Started};
use vintedbot_domain::keys::{Keys, hex};
use vintedbot_domain::store::entities::{event_heads, events};
use vintedbot_domain::store::{self, Store};

use crate::support::{START, TestClock, World, reason};

async fn open() -> Store {
    let clock = Arc::new(TestClock::default());
    let store = store::connect("sqlite::memory:", clock, Arc::new(SystemIds))
        .await
        .expect("opens");
    vintedbot_migrations::run_locked(store.writer())
        .await
        .expect("migrates");
    store
}

async fn start(store: &Store, folder: &tempfile::TempDir) -> Started {
    instance::start(store, folder.path(), "0.1.0", "0.1.0")
        .await
        .expect("starts")
}

#[tokio::test]
async fn second_start_finds_the_existing_instance() {
    let (store, folder) = (open().await, tempfile::tempdir().expect("a folder"));
    let first = start(&store, &folder).await;
    assert!(first.first_start && !first.restored);
    assert_eq!(start(&store, &folder).await, first);
}

#[tokio::test]
async fn database_folder_mismatch_starts_a_new_epoch() {
    let (store, folder) = (open().await, tempfile::tempdir().expect("a folder"));
    let first = start(&store, &folder).await;
    let workspace = &first.workspace_id;
    for statement in [
        format!("UPDATE event_heads SET sequence = 1 WHERE workspace_id = '{workspace}'"),
        format!(
            "INSERT INTO events (workspace_id, sequence, time, kind, resource_type, resource_id, payload) \
             VALUES ('{workspace}', 1, {START}, 'PHOTO_CREATED', 'PHOTO', 'x', '{{}}')"
        ),
    ] {
        store
            .writer()
            .execute_unprepared(&statement)
            .await
            .expect("is written");
    }
    let elsewhere = tempfile::tempdir().expect("a folder");
    let copied = start(&store, &elsewhere).await;
    assert!(copied.restored);
    assert_eq!(copied.workspace_id, first.workspace_id);
    assert_ne!(
        (&copied.log_epoch, &copied.instance_id),
        (&first.log_epoch, &first.instance_id)
    );
    let head = event_heads::Entity::find()
        .one(store.reader())
        .await
        .expect("reads")
        .expect("a head");
    assert_eq!(
        (head.sequence, head.floor),
        (1, 1),
        "no place in the old log can be read from"
    );
    assert!(
        events::Entity::find()
            .one(store.reader())
            .await
            .expect("reads")
            .is_none()
    );
    let again = start(&store, &elsewhere).await;
    assert!(!again.restored);
    assert_eq!(again.log_epoch, copied.log_epoch);
}

#[tokio::test]
async fn folder_of_another_instance_is_refused_unchanged() {
    let (store, folder) = (open().await, tempfile::tempdir().expect("a folder"));
    let (other, its_folder) = (open().await, tempfile::tempdir().expect("a folder"));
    let first = start(&store, &folder).await;
    let second = start(&other, &its_folder).await;
    let empty = open().await;
    for wrong in [&other, &empty] {
        let refused = instance::start(wrong, folder.path(), "0.1.0", "0.1.0").await;
        let refused = refused.expect_err("it is another's").to_string();
        for word in [&first.instance_id, "DATA_DIR", "DATABASE_URL"] {
            assert!(refused.contains(word), "{word}: {refused}");
        }
    }
    assert_eq!(start(&store, &folder).await, first);
    assert_eq!(start(&other, &its_folder).await, second);

    // The start was killed before it wrote the folder's id. The next start treats the database as a copy and loses no
    // data.
    std::fs::remove_file(folder.path().join("instance")).expect("is removed");
    let again = start(&store, &folder).await;
    assert!(again.restored && again.workspace_id == first.workspace_id);
    assert!(!start(&store, &folder).await.restored);
}

#[tokio::test]
async fn program_that_is_too_old_is_refused() {
    let (store, folder) = (open().await, tempfile::tempdir().expect("a folder"));
    instance::start(&store, folder.path(), "0.10.0", "0.9.0")
        .await
        .expect("starts");
    assert_eq!(
        reason(instance::start(&store, folder.path(), "0.8.1", "0.1.0").await),
        None
    );
    instance::start(&store, folder.path(), "0.9.0", "0.1.0")
        .await
        .expect("is new enough");
}

#[tokio::test]
async fn test_world_has_one_workspace_and_a_gap_free_log() {
    let world = World::new().await;
    world.account("Shop").await;
    let sequences: Vec<_> = world.events().await.iter().map(|event| event.sequence).collect();
    assert_eq!(sequences, (1..=sequences.len() as i64).collect::<Vec<_>>());
}

#[tokio::test]
async fn process_with_another_key_is_detected() {
    let (store, folder) = (open().await, tempfile::tempdir().expect("a folder"));
    start(&store, &folder).await;
    let [first, second, third] = [1, 2, 3].map(|byte| Arc::new(Keys::new([byte; 32])));
    let older = |byte: u8| hex(&[byte; 32]);
    for is_one_of_several in [true, false] {
        let agreed = instance::agree_on_key(&store, &first, is_one_of_several).await;
        agreed.expect("the first key is stored, and may start again");
    }
    let refused = instance::agree_on_key(&store, &second, true)
        .await
        .expect_err("another");
    assert!(refused.to_string().contains("ENCRYPTION_KEYS_OLD"), "{refused}");

    let changed = Keys::new([2; 32]).with_older(&older(1)).expect("a key");
    instance::agree_on_key(&store, &Arc::new(changed), true)
        .await
        .expect("it has the previous key");
    let refused = instance::agree_on_key(&store, &first, true).await;
    refused.expect_err("the previous key does not have the new key");
    instance::agree_on_key(&store, &second, true)
        .await
        .expect("the others may follow");

    instance::agree_on_key(&store, &third, false)
        .await
        .expect("a single process may replace a lost key");
    instance::agree_on_key(&store, &third, true)
        .await
        .expect("and is replaced");
}
