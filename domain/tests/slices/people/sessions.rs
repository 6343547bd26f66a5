//! Sign-in, sessions and their tokens.

use sea_orm::ConnectionTrait;
use vintedbot_domain::events::Kind;
use vintedbot_domain::identity::{self, Client, Role, SignIn};
use vintedbot_domain::paging::PageRequest;
use vintedbot_domain::{Error, Reason};

use super::{
    DAY, MINUTE, OTHER, PASSWORD, caller, password, refresh, sign_in, try_sign_in, user, with_people,
};
use crate::support::{World, reason};

#[tokio::test]
async fn failed_sign_ins_of_unknown_people_are_limited_too() {
    let mut world = World::new().await;
    with_people(&mut world, |people| people.failures_per_account = 3);
    user(&world, "anna@example.com", Role::Owner).await;
    for email in ["anna@example.com", "nobody@example.com"] {
        for _ in 0..3 {
            let refused = try_sign_in(&world, email, OTHER, "").await;
            assert_eq!(reason(refused), Some(Reason::CredentialsInvalid), "{email}");
        }
        let refused = try_sign_in(&world, email, PASSWORD, "").await;
        assert_eq!(reason(refused), Some(Reason::RateLimited), "{email}");
    }
    world.clock.advance(15 * MINUTE);
    sign_in(&world, "anna@example.com").await;
    for _ in 0..5 {
        sign_in(&world, "anna@example.com").await;
    }
}

#[tokio::test]
async fn failures_of_one_address_are_limited_over_all_people() {
    let mut world = World::new().await;
    with_people(&mut world, |people| people.failures_per_address = 4);
    user(&world, "anna@example.com", Role::Owner).await;
    for number in 0..4 {
        let refused = try_sign_in(&world, &format!("nobody{number}@example.com"), OTHER, "").await;
        assert_eq!(reason(refused), Some(Reason::CredentialsInvalid));
    }
    let refused = try_sign_in(&world, "anna@example.com", PASSWORD, "").await;
    assert_eq!(reason(refused), Some(Reason::RateLimited));
}

#[tokio::test]
async fn stranger_needs_many_addresses_to_lock_a_person_out() {
    let mut world = World::new().await;
    with_people(&mut world, |people| {
        people.failures_per_account = 2;
        people.failures_per_address = 4;
    });
    user(&world, "anna@example.com", Role::Owner).await;
    let guess = async |address: &str| {
        let client = Client {
            address: Some(address.parse().expect("an address")),
            device: String::new(),
        };
        let sign_in = SignIn {
            email: "anna@example.com".to_owned(),
            password: password(OTHER),
            code: String::new(),
        };
        reason(identity::sign_in(&world.context, &client, sign_in).await)
    };
    let wrong = Some(Reason::CredentialsInvalid);
    for expected in [wrong, wrong, Some(Reason::RateLimited)] {
        assert_eq!(guess("198.51.100.1").await, expected);
    }
    sign_in(&world, "anna@example.com").await;
    for address in ["198.51.100.2", "198.51.100.3"] {
        for _ in 0..2 {
            assert_eq!(guess(address).await, wrong);
        }
    }
    let locked_out = try_sign_in(&world, "anna@example.com", PASSWORD, "").await;
    assert_eq!(reason(locked_out), Some(Reason::RateLimited));
}

#[tokio::test]
async fn huge_password_is_a_violation() {
    let world = World::new().await;
    let refused = try_sign_in(&world, "anna@example.com", &"x".repeat(1_000_000), "").await;
    assert!(matches!(refused, Err(Error::Invalid(_))));
}

#[tokio::test]
async fn access_token_ends_with_its_time_and_its_session() {
    let world = World::new().await;
    user(&world, "anna@example.com", Role::Owner).await;
    let (signed_in, anna) = sign_in(&world, "anna@example.com").await;
    let token = &signed_in.tokens.access_token;
    world.clock.advance(15 * MINUTE - 1_000);
    assert!(caller(&world, token).await.is_ok());
    world.clock.advance(1_000);
    assert_eq!(reason(caller(&world, token).await), Some(Reason::TokenExpired));
    let tokens = refresh(&world, &signed_in.tokens.refresh_token)
        .await
        .expect("new tokens");
    assert!(caller(&world, &tokens.access_token).await.is_ok());
    identity::sign_out(&world.context, &anna, false)
        .await
        .expect("signs out");
    assert_eq!(
        reason(caller(&world, &tokens.access_token).await),
        Some(Reason::TokenInvalid)
    );
    let refused = refresh(&world, &tokens.refresh_token).await;
    assert_eq!(reason(refused), Some(Reason::RefreshTokenInvalid));
    assert!(!identity::is_live(&world.context, &anna).await.expect("answers"));
}

#[tokio::test]
async fn predecessor_token_gets_the_same_tokens_for_30_seconds() {
    let world = World::new().await;
    user(&world, "anna@example.com", Role::Owner).await;
    let (signed_in, _) = sign_in(&world, "anna@example.com").await;
    let first = &signed_in.tokens.refresh_token;
    let second = refresh(&world, first).await.expect("new tokens");
    world.clock.advance(30_000);
    assert_eq!(refresh(&world, first).await.expect("the same tokens"), second);
    world.clock.advance(1);
    assert_eq!(
        reason(refresh(&world, first).await),
        Some(Reason::RefreshTokenReused)
    );
    assert_eq!(
        reason(caller(&world, &second.access_token).await),
        Some(Reason::TokenInvalid)
    );
    assert_eq!(
        reason(refresh(&world, &second.refresh_token).await),
        Some(Reason::RefreshTokenInvalid)
    );
}

#[tokio::test]
async fn refresh_token_two_generations_old_ends_the_session() {
    let world = World::new().await;
    user(&world, "anna@example.com", Role::Owner).await;
    let (signed_in, _) = sign_in(&world, "anna@example.com").await;
    let second = refresh(&world, &signed_in.tokens.refresh_token)
        .await
        .expect("new tokens");
    let third = refresh(&world, &second.refresh_token).await.expect("new tokens");
    let refused = refresh(&world, &signed_in.tokens.refresh_token).await;
    assert_eq!(reason(refused), Some(Reason::RefreshTokenReused));
    assert_eq!(
        reason(caller(&world, &third.access_token).await),
        Some(Reason::TokenInvalid)
    );
}

#[tokio::test]
async fn unused_session_expires() {
    let world = World::new().await;
    user(&world, "anna@example.com", Role::Owner).await;
    let (signed_in, _) = sign_in(&world, "anna@example.com").await;
    world.clock.advance(30 * DAY);
    let refused = refresh(&world, &signed_in.tokens.refresh_token).await;
    assert_eq!(reason(refused), Some(Reason::RefreshTokenInvalid));
    let purged = identity::purge(&world.context.store, world.context.clock.now()).await;
    assert_eq!(purged.expect("removes"), 1);
}

#[tokio::test]
async fn sessions_of_another_person_are_unknown() {
    let world = World::new().await;
    user(&world, "anna@example.com", Role::Owner).await;
    user(&world, "ben@example.com", Role::Owner).await;
    let (_, anna) = sign_in(&world, "anna@example.com").await;
    let (of_ben, ben) = sign_in(&world, "ben@example.com").await;
    let (phone, _) = sign_in(&world, "anna@example.com").await;
    let refused = identity::revoke_user_session(&world.context, &anna, &of_ben.session.id).await;
    assert_eq!(reason(refused), Some(Reason::NotFound));
    let listed = identity::list_user_sessions(&world.context, &anna, &PageRequest::default()).await;
    assert_eq!(listed.expect("lists").items.len(), 2);
    let ended = identity::revoke_user_session(&world.context, &anna, &phone.session.id).await;
    assert!(ended.expect("ends").revoke_time.is_some());
    assert!(identity::is_live(&world.context, &anna).await.expect("answers"));
    identity::sign_out(&world.context, &anna, true)
        .await
        .expect("signs out everywhere");
    assert!(!identity::is_live(&world.context, &anna).await.expect("answers"));
    assert!(identity::is_live(&world.context, &ben).await.expect("answers"));
}

#[tokio::test]
async fn oldest_sessions_end_beyond_a_thousand() {
    let world = World::new().await;
    user(&world, "anna@example.com", Role::Owner).await;
    let (_, first) = sign_in(&world, "anna@example.com").await;
    let numbers: Vec<_> = (1..1_000).map(|number| format!("({number})")).collect();
    let copies = format!(
        "INSERT INTO user_sessions SELECT 'copy ' || column1, workspace_id, user_id, device, address, generation, \
         rotate_time, create_time + column1, last_use_time, expire_time, revoke_time, 0 FROM user_sessions, \
         (VALUES {})",
        numbers.join(", ")
    );
    let written = world.context.store.writer().execute_unprepared(&copies).await;
    written.expect("copies the session");
    world.clock.advance(2_000);
    let (_, last) = sign_in(&world, "anna@example.com").await;
    assert!(!identity::is_live(&world.context, &first).await.expect("answers"));
    assert!(identity::is_live(&world.context, &last).await.expect("answers"));
    let ended = world.events().await.into_iter();
    assert_eq!(
        ended.filter(|event| event.kind == Kind::UserSessionEnded).count(),
        1
    );
}
