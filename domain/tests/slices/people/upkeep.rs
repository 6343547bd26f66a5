//! Changes over time: names, lost second factors, rotated keys, outdated hashes, and ended rows.

use std::sync::Arc;

use sea_orm::{ConnectionTrait as _, EntityTrait as _, PaginatorTrait as _};
use vintedbot_domain::events::Kind;
use vintedbot_domain::identity::operator;
use vintedbot_domain::identity::{self, Role};
use vintedbot_domain::keys::Keys;
use vintedbot_domain::store::entities::{attempts, invitations, mail_tokens, user_sessions, users};
use vintedbot_domain::{Reason, settings};

use super::{
    DAY, MINUTE, OTHER, PASSWORD, enable_second_factor, invite, refresh, register, registration,
    request_reset, sign_in, try_sign_in, user, with_registration,
};
use crate::support::{World, reason, violated};

/// An Argon2id hash of [`PASSWORD`] with 8 MiB and one pass, which are less than the current parameters.
const OUTDATED_HASH: &str =
    "$argon2id$v=19$m=8192,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$UFERgdZxKYrA3ihP9CfShKLids7tyEvakH1R1RX5FOA";

#[tokio::test]
async fn update_of_the_own_name_is_normalized_and_checked() {
    let world = World::new().await;
    user(&world, "anna@example.com", Role::Viewer).await;
    let (_, anna) = sign_in(&world, "anna@example.com").await;
    let context = &world.context;
    for wrong in ["", "  ", "\u{7}", &"x".repeat(101)] {
        let refused = identity::update_me(context, &anna, wrong).await;
        assert_eq!(violated(refused), ["display_name"], "{wrong:?}");
    }
    let refused = identity::update_me(context, &world.caller, "Anna B.").await;
    assert_eq!(reason(refused), Some(Reason::PersonRequired));
    let updated = identity::update_me(context, &anna, " Anna B. ").await;
    assert_eq!(updated.expect("changes").display_name, "Anna B.");
    let me = identity::get_me(context, &anna).await.expect("answers");
    assert_eq!(me.user.expect("a person").display_name, "Anna B.");
    let event = world.events().await.pop().expect("an event");
    assert_eq!(event.kind, Kind::UserUpdated);
    assert!(event.payload.contains("Anna B."), "{event:?}");
}

#[tokio::test]
async fn reset_of_the_second_factor_ends_sessions_and_codes() {
    let world = World::new().await;
    user(&world, "anna@example.com", Role::Owner).await;
    let (signed_in, anna) = sign_in(&world, "anna@example.com").await;
    let (app, recovery_codes) = enable_second_factor(&world, &anna).await;
    let context = &world.context;
    let unknown = operator::reset_second_factor(context, "unknown@example.com").await;
    assert_eq!(reason(unknown), Some(Reason::NotFound));
    let without = try_sign_in(&world, "anna@example.com", PASSWORD, "").await;
    assert_eq!(reason(without), Some(Reason::SecondFactorRequired));

    let reset = operator::reset_second_factor(context, "Anna@Example.com").await;
    assert!(!reset.expect("resets").second_factor_enabled);
    assert!(!identity::is_live(context, &anna).await.expect("answers"));
    let refused = refresh(&world, &signed_in.tokens.refresh_token).await;
    assert_eq!(reason(refused), Some(Reason::RefreshTokenInvalid));
    let (_, anna) = sign_in(&world, "anna@example.com").await;

    // Neither the old app nor an old recovery code works for a new second factor.
    world.clock.advance(30_000);
    let (_, newer_codes) = enable_second_factor(&world, &anna).await;
    world.clock.advance(30_000);
    for code in [&app.code(&world), &recovery_codes[0]] {
        let old = try_sign_in(&world, "anna@example.com", PASSWORD, code).await;
        assert_eq!(reason(old), Some(Reason::SecondFactorInvalid));
    }
    try_sign_in(&world, "anna@example.com", PASSWORD, &newer_codes[0])
        .await
        .expect("signs in");
}

#[tokio::test]
async fn sign_in_seals_the_second_factor_with_the_new_key() {
    let mut world = World::new().await;
    let mut apps = Vec::new();
    let mut refresh_tokens = Vec::new();
    for email in ["anna@example.com", "ben@example.com"] {
        user(&world, email, Role::Owner).await;
        let (signed_in, caller) = sign_in(&world, email).await;
        apps.push(enable_second_factor(&world, &caller).await.0);
        refresh_tokens.push(signed_in.tokens.refresh_token);
    }
    world.clock.advance(30_000);

    // The key is rotated. Sessions continue, and Anna signs in with a code of her app.
    let rotated = Keys::new([8; 32]).with_older(&"07".repeat(32)).expect("a key");
    world.context.keys = Arc::new(rotated);
    let refreshed = refresh(&world, &refresh_tokens[0]).await.expect("new tokens");
    try_sign_in(&world, "anna@example.com", PASSWORD, &apps[0].code(&world))
        .await
        .expect("signs in");
    world.clock.advance(30_000);

    // The old key is removed. Ben's second factor is still sealed with it.
    world.context.keys = Arc::new(Keys::new([8; 32]));
    refresh(&world, &refreshed.refresh_token)
        .await
        .expect("new tokens");
    let refused = refresh(&world, &refresh_tokens[1]).await;
    assert_eq!(reason(refused), Some(Reason::RefreshTokenInvalid));
    try_sign_in(&world, "anna@example.com", PASSWORD, &apps[0].code(&world))
        .await
        .expect("signs in");
    let lost = try_sign_in(&world, "ben@example.com", PASSWORD, &apps[1].code(&world)).await;
    assert_eq!(reason(lost), None, "it is an internal error");
    operator::reset_second_factor(&world.context, "ben@example.com")
        .await
        .expect("resets");
    sign_in(&world, "ben@example.com").await;
}

#[tokio::test]
async fn sign_in_replaces_a_hash_with_outdated_parameters() {
    let world = World::new().await;
    user(&world, "anna@example.com", Role::Owner).await;
    let hash = async || {
        let all = users::Entity::find().all(world.context.store.reader()).await;
        all.expect("reads").remove(0).password_hash
    };
    let current = hash().await;
    let outdated = format!("UPDATE users SET password_hash = '{OUTDATED_HASH}'");
    let written = world.context.store.writer().execute_unprepared(&outdated).await;
    written.expect("is written");

    let refused = try_sign_in(&world, "anna@example.com", OTHER, "").await;
    assert_eq!(reason(refused), Some(Reason::CredentialsInvalid));
    assert_eq!(hash().await, OUTDATED_HASH, "only the right password replaces it");
    sign_in(&world, "anna@example.com").await;
    let renewed = hash().await;
    let parameters = |hash: &str| hash.split('$').take(4).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(parameters(&renewed), parameters(&current));
    sign_in(&world, "anna@example.com").await;
    assert_eq!(hash().await, renewed, "a current hash stays");
}

#[tokio::test]
async fn purge_removes_each_kind_of_row_at_its_end() {
    let mut world = World::new().await;
    with_registration(&mut world, settings::Registration::Open);
    user(&world, "anna@example.com", Role::Owner).await;
    let (_, anna) = sign_in(&world, "anna@example.com").await;
    request_reset(&world, "anna@example.com").await;
    register(&world, registration("ben@example.com"))
        .await
        .expect("mails");
    world.mails.next().await;
    invite(&world, &anna, "carl@example.com", Role::Member).await;

    let store = &world.context.store;
    let rows = async || {
        let reader = store.reader();
        [
            attempts::Entity::find().count(reader).await.expect("counts"),
            mail_tokens::Entity::find().count(reader).await.expect("counts"),
            invitations::Entity::find().count(reader).await.expect("counts"),
            user_sessions::Entity::find().count(reader).await.expect("counts"),
        ]
    };
    let [counters, ..] = rows().await;
    assert!(counters > 0);
    let mut passed = 0;
    for (time, expected) in [
        (15 * MINUTE - 1, [counters, 2, 1, 1]),
        (15 * MINUTE, [0, 2, 1, 1]),
        (60 * MINUTE - 1, [0, 2, 1, 1]),
        (60 * MINUTE, [0, 1, 1, 1]),
        (DAY - 1, [0, 1, 1, 1]),
        (DAY, [0, 0, 1, 1]),
        (7 * DAY - 1, [0, 0, 1, 1]),
        (7 * DAY, [0, 0, 0, 1]),
        (30 * DAY - 1, [0, 0, 0, 1]),
        (30 * DAY, [0, 0, 0, 0]),
    ] {
        world.clock.advance(time - passed);
        passed = time;
        identity::purge(store, world.context.clock.now())
            .await
            .expect("removes");
        assert_eq!(rows().await, expected, "after {time} ms");
    }
}
