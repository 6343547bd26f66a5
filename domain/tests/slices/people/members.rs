//! Roles, and the end of a person in a workspace.

use vintedbot_domain::events::Event;
use vintedbot_domain::identity::operator;
use vintedbot_domain::identity::{self, Access, NewToken, Registration, Role, Scope};
use vintedbot_domain::{Reason, settings};

use super::{
    DAY, OTHER, PASSWORD, caller, client, invite, password, refresh, register, registration, sign_in,
    try_invite, try_sign_in, user, with_registration,
};
use crate::support::{World, reason};

#[tokio::test]
async fn last_owner_can_neither_leave_nor_step_down() {
    let world = World::new().await;
    let anna_id = user(&world, "anna@example.com", Role::Owner).await;
    let ben_id = user(&world, "ben@example.com", Role::Member).await;
    let (_, anna) = sign_in(&world, "anna@example.com").await;
    let context = &world.context;
    for refused in [
        identity::leave_workspace(context, &anna, password(PASSWORD)).await,
        identity::update_user(context, &anna, &anna_id, Role::Member)
            .await
            .map(drop),
    ] {
        assert_eq!(reason(refused), Some(Reason::LastOwner));
    }
    identity::update_user(context, &anna, &ben_id, Role::Owner)
        .await
        .expect("promotes");
    operator::set_disabled(context, "ben@example.com", true)
        .await
        .expect("disables");
    let refused = identity::leave_workspace(context, &anna, password(PASSWORD)).await;
    assert_eq!(
        reason(refused),
        Some(Reason::LastOwner),
        "a disabled owner does not count"
    );
    operator::set_disabled(context, "ben@example.com", false)
        .await
        .expect("enables");
    let wrong = identity::leave_workspace(context, &anna, password(OTHER)).await;
    assert_eq!(reason(wrong), Some(Reason::CredentialsInvalid));
    identity::leave_workspace(context, &anna, password(PASSWORD))
        .await
        .expect("leaves");
    assert!(!identity::is_live(context, &anna).await.expect("answers"));
    let gone = try_sign_in(&world, "anna@example.com", PASSWORD, "").await;
    assert_eq!(reason(gone), Some(Reason::CredentialsInvalid));
}

#[tokio::test]
async fn tokens_of_a_person_end_with_their_role() {
    let world = World::new().await;
    user(&world, "anna@example.com", Role::Owner).await;
    let ben_id = user(&world, "ben@example.com", Role::Owner).await;
    let (_, anna) = sign_in(&world, "anna@example.com").await;
    let (_, ben) = sign_in(&world, "ben@example.com").await;
    let new = NewToken {
        name: "script".to_owned(),
        scopes: vec![
            Scope::ListingsRead.name().to_owned(),
            Scope::AuthManage.name().to_owned(),
        ],
        expire_time: None,
        request_id: None,
    };
    let created = identity::create_token(&world.context, &ben, new.clone())
        .await
        .expect("a token");
    assert_eq!(created.token.parent_id.as_deref(), Some(ben_id.as_str()));
    assert_eq!(created.token.expire_time, None, "it outlives the session");
    let secret = created.secret.expect("a secret");
    let of_script = caller(&world, secret.expose()).await.expect("is known");
    let grandchild = identity::create_token(&world.context, &of_script, new)
        .await
        .expect("a token");
    identity::sign_out(&world.context, &ben, true)
        .await
        .expect("signs out");
    assert!(
        caller(&world, secret.expose()).await.is_ok(),
        "it outlives the session"
    );
    identity::update_user(&world.context, &anna, &ben_id, Role::Member)
        .await
        .expect("steps down");
    for secret in [secret, grandchild.secret.expect("a secret")] {
        assert_eq!(
            reason(caller(&world, secret.expose()).await),
            Some(Reason::TokenInvalid)
        );
    }
}

#[tokio::test]
async fn role_and_kind_of_caller_are_checked() {
    let world = World::new().await;
    user(&world, "anna@example.com", Role::Member).await;
    let (_, anna) = sign_in(&world, "anna@example.com").await;
    let access = |people_only, role, scopes: &[Scope]| Access {
        scopes: scopes.iter().copied().collect(),
        people_only,
        role,
    };
    assert!(
        anna.authorize(&access(false, Role::Member, &[Scope::ListingsWrite]))
            .is_ok()
    );
    let owner = anna.authorize(&access(false, Role::Owner, &[Scope::AuthManage]));
    assert_eq!(reason(owner), Some(Reason::InsufficientRole));
    let person = world.caller.authorize(&access(true, Role::Viewer, &[]));
    assert_eq!(reason(person), Some(Reason::PersonRequired));
    assert!(
        world
            .caller
            .authorize(&access(false, Role::Owner, &[Scope::AuthManage]))
            .is_ok()
    );
}

#[tokio::test]
async fn disabled_person_loses_all_access() {
    let world = World::new().await;
    user(&world, "anna@example.com", Role::Owner).await;
    let (signed_in, anna) = sign_in(&world, "anna@example.com").await;
    operator::set_disabled(&world.context, "anna@example.com", true)
        .await
        .expect("disables");
    assert!(!identity::is_live(&world.context, &anna).await.expect("answers"));
    let refused = refresh(&world, &signed_in.tokens.refresh_token).await;
    assert_eq!(reason(refused), Some(Reason::RefreshTokenInvalid));
    let refused = try_sign_in(&world, "anna@example.com", PASSWORD, "").await;
    assert_eq!(reason(refused), Some(Reason::CredentialsInvalid));
    user(&world, "ben@example.com", Role::Member).await;
    for email in ["anna@example.com", "ben@example.com"] {
        identity::request_password_reset(&world.context, &client(), email)
            .await
            .expect("answers alike");
    }
    // Requests are processed in their order, so a mail to the disabled person would have come first.
    assert_eq!(world.mails.next().await.to, "ben@example.com");
    assert!(world.mails.is_empty());
    operator::set_disabled(&world.context, "anna@example.com", false)
        .await
        .expect("enables");
    sign_in(&world, "anna@example.com").await;
}

#[tokio::test]
async fn call_that_outlives_its_callers_role_is_refused() {
    let mut world = World::new().await;
    with_registration(&mut world, settings::Registration::Invitation);
    user(&world, "anna@example.com", Role::Owner).await;
    let ben_id = user(&world, "ben@example.com", Role::Owner).await;
    let (_, anna) = sign_in(&world, "anna@example.com").await;
    let (_, ben) = sign_in(&world, "ben@example.com").await;
    let token = invite(&world, &ben, "carl@example.com", Role::Owner).await;
    let context = &world.context;
    identity::update_user(context, &anna, &ben_id, Role::Viewer)
        .await
        .expect("demotes");
    let promoted = identity::update_user(context, &ben, &ben_id, Role::Owner).await;
    assert_eq!(reason(promoted), Some(Reason::TokenInvalid));
    let anna_id = anna.person().expect("a person").user_id.clone();
    let deleted = identity::delete_user(context, &ben, &anna_id).await;
    assert_eq!(reason(deleted), Some(Reason::TokenInvalid));
    let invited = try_invite(&world, &ben, "dora@example.com", Role::Owner).await;
    assert_eq!(reason(invited), Some(Reason::TokenInvalid));
    let with = Registration {
        invitation_token: token,
        ..registration("carl@example.com")
    };
    let accepted = register(&world, with).await;
    assert_eq!(
        reason(accepted),
        Some(Reason::InvitationInvalid),
        "it ended with the role"
    );
}

#[tokio::test]
async fn events_of_a_deleted_person_lose_their_content() {
    let world = World::new().await;
    user(&world, "anna@example.com", Role::Owner).await;
    let ben_id = user(&world, "ben@example.com", Role::Member).await;
    let (_, anna) = sign_in(&world, "anna@example.com").await;
    let (_, ben) = sign_in(&world, "ben@example.com").await;
    let context = &world.context;
    identity::sign_out(context, &ben, false).await.expect("signs out");
    // The event of the ended session outlives the session.
    world.clock.advance(DAY);
    let purged = identity::purge(&context.store, context.clock.now()).await;
    assert_eq!(purged.expect("removes"), 1);
    let shown = async || {
        let events = world.events().await.into_iter();
        let is_personal = |event: &Event| {
            ["ben@example.com", "192.0.2.7"]
                .iter()
                .any(|text| event.payload.contains(*text))
        };
        events.filter(is_personal).count()
    };
    assert_eq!(shown().await, 2, "the creation and the end of a session");
    identity::delete_user(context, &anna, &ben_id)
        .await
        .expect("deletes");
    assert_eq!(shown().await, 0);
}
