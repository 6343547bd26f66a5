//! The end of a workspace, and the accounts in it.

use sea_orm::{ConnectionTrait, DbBackend, Statement};
use vintedbot_domain::identity::{self, Role};
use vintedbot_domain::listings::ListingInput;
use vintedbot_domain::{Error, Reason};

use super::{PASSWORD, caller, password, sign_in, user};
use crate::support::{World, reason};

#[tokio::test]
async fn deleted_workspace_leaves_no_row() {
    let (world, account) = World::with_account().await;
    user(&world, "anna@example.com", Role::Owner).await;
    world.listing(&account, ListingInput::default()).await;
    world.photo(1).await;
    let stranger = world.stranger().await;
    let (_, anna) = sign_in(&world, "anna@example.com").await;
    let context = &world.context;
    let wrong = identity::delete_workspace(context, &anna, password(PASSWORD), "another").await;
    assert!(matches!(wrong, Err(Error::Invalid(_))));
    identity::delete_workspace(context, &anna, password(PASSWORD), "workspace")
        .await
        .expect("deletes");
    let tables = "SELECT m.name AS name FROM sqlite_master m JOIN pragma_table_info(m.name) c ON c.name = 'workspace_id' \
                  WHERE m.type = 'table'";
    let reader = context.store.reader();
    let query = |sql: String| reader.query_all_raw(Statement::from_string(DbBackend::Sqlite, sql));
    let tables = query(tables.to_owned()).await.expect("lists tables");
    assert!(tables.len() > 20);
    for table in tables {
        let table: String = table.try_get("", "name").expect("a name");
        let rows = query(format!(
            "SELECT 1 FROM {table} WHERE workspace_id = '{}'",
            anna.workspace_id
        ));
        assert!(rows.await.expect("counts").is_empty(), "{table}");
    }
    assert_eq!(
        reason(caller(&world, &world.secret).await),
        Some(Reason::TokenInvalid)
    );
    assert!(
        identity::get_me(context, &stranger).await.is_ok(),
        "another workspace is untouched"
    );
}

#[tokio::test]
async fn second_account_on_a_site_needs_an_acknowledgement() {
    use vintedbot_domain::accounts::{self, Mode, NewAccount, SetMode};
    let world = World::new().await;
    let new = |mode, second_account_acknowledged| NewAccount {
        mode: Some(mode),
        second_account_acknowledged,
        ..crate::support::new_account("Shop")
    };
    let create = |new| accounts::create(&world.context, &world.caller, new);
    create(new(Mode::Manual, false)).await.expect("the first");
    let mock = create(new(Mode::Mock, false)).await.expect("mock mode is exempt");
    let refused = create(new(Mode::Manual, false)).await;
    assert_eq!(reason(refused), Some(Reason::AcknowledgementRequired));
    let set = |second_account_acknowledged| SetMode {
        id: mock.id.clone(),
        mode: Mode::Manual,
        automated_acknowledged: false,
        second_account_acknowledged,
        request_id: None,
    };
    let refused = accounts::set_mode(&world.context, &world.caller, set(false)).await;
    assert_eq!(reason(refused), Some(Reason::AcknowledgementRequired));
    accounts::set_mode(&world.context, &world.caller, set(true))
        .await
        .expect("is acknowledged");
    create(new(Mode::Manual, true)).await.expect("is acknowledged");
}
