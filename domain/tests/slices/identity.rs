use sea_orm::EntityTrait;
use vintedbot_domain::Reason;
use vintedbot_domain::identity::{self, Access, NewToken, Revoke, Role, Scope};
use vintedbot_domain::store::entities::api_tokens;

use crate::support::{START, World, page, reason, request_id, violated};

fn token(scopes: &[&str]) -> NewToken {
    NewToken {
        name: "script".to_owned(),
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        expire_time: None,
        request_id: None,
    }
}

#[tokio::test]
async fn token_secret_is_shown_once_and_stored_as_a_hash() {
    let world = World::new().await;
    let created = identity::create_token(&world.context, &world.caller, token(&["media:read"]))
        .await
        .expect("made");
    let secret = created.secret.expect("is shown");
    assert!(secret.expose().starts_with("vb_") && secret.expose().len() == 52);
    assert_eq!(format!("{secret:?}"), "Secret");

    let rows = api_tokens::Entity::find()
        .all(world.context.store.reader())
        .await
        .expect("rows");
    assert!(
        rows.iter()
            .all(|row| !format!("{row:?}").contains(secret.expose()))
    );
    assert!(
        world
            .events()
            .await
            .iter()
            .all(|event| !event.payload.contains(secret.expose()))
    );
}

#[tokio::test]
async fn token_grants_only_its_workspace_and_scopes() {
    let world = World::new().await;
    let created = identity::create_token(
        &world.context,
        &world.caller,
        token(&["media:read", "media:read"]),
    )
    .await
    .expect("made");
    let secret = created.secret.expect("is shown");
    let caller = identity::authenticate(&world.context, Some(secret.expose()))
        .await
        .expect("is known");
    assert_eq!(
        (&caller.workspace_id, &caller.credential_id),
        (&world.caller.workspace_id, &created.token.id)
    );
    let access = |scope| Access {
        scopes: [scope].into_iter().collect(),
        people_only: false,
        role: Role::Viewer,
    };
    caller.authorize(&access(Scope::MediaRead)).expect("has it");
    let refusal = caller
        .authorize(&access(Scope::MediaWrite))
        .expect_err("lacks it");
    assert_eq!(refusal.reason(), Some(Reason::InsufficientScope));

    let wider = identity::create_token(&world.context, &caller, token(&["auth:manage"])).await;
    assert_eq!(reason(wider), Some(Reason::ScopeNotGrantable));
}

#[tokio::test]
async fn every_kind_of_invalid_token_is_refused() {
    let world = World::new().await;
    for (bearer, expected) in [
        (None, Reason::TokenMissing),
        (Some(""), Reason::TokenMissing),
        (Some("secret"), Reason::TokenInvalid),
        (Some("vb_AAAA"), Reason::TokenInvalid),
    ] {
        assert_eq!(
            reason(identity::authenticate(&world.context, bearer).await),
            Some(expected),
            "{bearer:?}"
        );
    }

    let new = NewToken {
        expire_time: Some(START + 1000),
        ..token(&["media:read"])
    };
    let expiring = identity::create_token(&world.context, &world.caller, new)
        .await
        .expect("made");
    let secret = expiring.secret.expect("is shown");
    identity::authenticate(&world.context, Some(secret.expose()))
        .await
        .expect("still good");
    world.clock.advance(1000);
    let late = identity::authenticate(&world.context, Some(secret.expose())).await;
    assert_eq!(reason(late), Some(Reason::TokenExpired));

    let token_id = world.caller.credential_id.clone();
    let revoked = identity::revoke_token(&world.context, &world.caller, Revoke::of(&token_id))
        .await
        .expect("revoked");
    assert_eq!(revoked.revoke_time, Some(START + 1000));
    let again = identity::revoke_token(&world.context, &world.caller, Revoke::of(&token_id))
        .await
        .expect("no error");
    assert_eq!(again, revoked, "revoking twice changes nothing");
    let gone = identity::authenticate(&world.context, Some(&world.secret)).await;
    assert_eq!(reason(gone), Some(Reason::TokenInvalid));
}

#[tokio::test]
async fn all_violations_of_a_new_token_are_reported_at_once() {
    let world = World::new().await;
    let new = NewToken {
        name: " ".to_owned(),
        expire_time: Some(START),
        ..token(&["media:read", "media:eat"])
    };
    let fields = violated(identity::create_token(&world.context, &world.caller, new).await);
    assert_eq!(fields, ["name", "scopes[1]", "expire_time"]);
    let fields = violated(identity::create_token(&world.context, &world.caller, token(&[])).await);
    assert_eq!(fields, ["scopes"]);
}

#[tokio::test]
async fn repeated_create_returns_the_token_without_its_secret() {
    let world = World::new().await;
    let new = NewToken {
        request_id: request_id(),
        ..token(&["media:read"])
    };
    let first = identity::create_token(&world.context, &world.caller, new.clone())
        .await
        .expect("made");
    let second = identity::create_token(&world.context, &world.caller, new)
        .await
        .expect("found");
    assert_eq!(first.token, second.token);
    assert!(first.secret.is_some() && second.secret.is_none());
    assert!(
        first.token.sequence > 0,
        "the answer carries its place in the log"
    );
}

#[tokio::test]
async fn inactive_tokens_are_listed_only_on_demand() {
    let world = World::new().await;
    let stranger = world.stranger().await;
    let new = NewToken {
        expire_time: Some(START + 1),
        ..token(&["media:read"])
    };
    identity::create_token(&world.context, &world.caller, new)
        .await
        .expect("made");
    world.clock.advance(1);
    let list = async |all| {
        identity::list_tokens(&world.context, &world.caller, all, &page(0, ""))
            .await
            .expect("a list")
            .items
            .len()
    };
    assert_eq!((list(false).await, list(true).await), (1, 2));
    let foreign =
        identity::revoke_token(&world.context, &stranger, Revoke::of(&world.caller.credential_id)).await;
    assert_eq!(reason(foreign), Some(Reason::NotFound));
}

#[tokio::test]
async fn get_me_names_workspace_and_token() {
    let world = World::new().await;
    let me = identity::get_me(&world.context, &world.caller)
        .await
        .expect("an answer");
    let token = me.token.expect("a token");
    assert_eq!(
        (me.workspace_name.as_str(), &token.id),
        ("workspace", &world.caller.credential_id)
    );
    assert_eq!(token.scopes.iter().count(), Scope::ALL.len());
}
