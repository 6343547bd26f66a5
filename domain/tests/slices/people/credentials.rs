//! Passwords, addresses and the second factor.

use vintedbot_domain::identity::operator;
use vintedbot_domain::identity::{self, Client, Role};
use vintedbot_domain::{Error, Reason};

use super::{
    App, MINUTE, OTHER, PASSWORD, change_email, client, enable_second_factor, password, request_reset,
    sign_in, try_sign_in, user, with_people,
};
use crate::support::{World, reason};

#[tokio::test]
async fn reset_password_ends_all_sessions() {
    let world = World::new().await;
    user(&world, "anna@example.com", Role::Owner).await;
    let (_, anna) = sign_in(&world, "anna@example.com").await;
    identity::request_password_reset(&world.context, &client(), "unknown@example.com")
        .await
        .expect("answers alike");
    let token = request_reset(&world, "anna@example.com").await;
    let weak = identity::reset_password(&world.context, &client(), &token, password("password")).await;
    assert!(
        matches!(weak, Err(Error::Invalid(_))),
        "and the token can be used again"
    );
    identity::reset_password(&world.context, &client(), &token, password(OTHER))
        .await
        .expect("resets");
    let again = identity::reset_password(&world.context, &client(), &token, password(PASSWORD)).await;
    assert_eq!(reason(again), Some(Reason::LinkInvalid));
    assert!(!identity::is_live(&world.context, &anna).await.expect("answers"));
    let old = try_sign_in(&world, "anna@example.com", PASSWORD, "").await;
    assert_eq!(reason(old), Some(Reason::CredentialsInvalid));
    try_sign_in(&world, "anna@example.com", OTHER, "")
        .await
        .expect("signs in");
    assert!(world.mails.is_empty());
}

#[tokio::test]
async fn expired_mail_token_is_refused() {
    let world = World::new().await;
    user(&world, "anna@example.com", Role::Owner).await;
    let token = request_reset(&world, "anna@example.com").await;
    world.clock.advance(60 * MINUTE);
    let late = identity::reset_password(&world.context, &client(), &token, password(OTHER)).await;
    assert_eq!(reason(late), Some(Reason::LinkInvalid));
}

#[tokio::test]
async fn changed_password_and_address_need_the_current_password() {
    let world = World::new().await;
    user(&world, "anna@example.com", Role::Owner).await;
    let (_, other) = sign_in(&world, "anna@example.com").await;
    let (_, anna) = sign_in(&world, "anna@example.com").await;
    let context = &world.context;
    let refused = identity::change_password(context, &anna, password(OTHER), password(OTHER)).await;
    assert_eq!(reason(refused), Some(Reason::CredentialsInvalid));
    let refused = identity::change_email(context, &anna, "anna@example.org", password(OTHER)).await;
    assert_eq!(reason(refused), Some(Reason::CredentialsInvalid));
    change_email(&world, &anna, "anna@example.org").await;
    assert_eq!(
        world.mails.next().await.to,
        "anna@example.com",
        "a notice goes to the old address"
    );
    identity::change_password(context, &anna, password(PASSWORD), password(OTHER))
        .await
        .expect("changes");
    assert!(identity::is_live(context, &anna).await.expect("answers"));
    assert!(!identity::is_live(context, &other).await.expect("answers"));
    try_sign_in(&world, "anna@example.org", OTHER, "")
        .await
        .expect("signs in");
}

#[tokio::test]
async fn wrong_current_passwords_are_limited_apart_from_sign_ins() {
    let mut world = World::new().await;
    with_people(&mut world, |people| people.failures_per_account = 3);
    user(&world, "anna@example.com", Role::Owner).await;
    let (_, anna) = sign_in(&world, "anna@example.com").await;
    let change = async |current: &str| {
        reason(identity::change_password(&world.context, &anna, password(current), password(OTHER)).await)
    };
    for _ in 0..3 {
        assert_eq!(change(OTHER).await, Some(Reason::CredentialsInvalid));
    }
    assert_eq!(change(PASSWORD).await, Some(Reason::RateLimited));
    sign_in(&world, "anna@example.com").await;
}

#[tokio::test]
async fn code_of_the_second_factor_counts_once() {
    let world = World::new().await;
    user(&world, "anna@example.com", Role::Owner).await;
    let (_, anna) = sign_in(&world, "anna@example.com").await;
    let context = &world.context;
    let enrollment = identity::enroll_second_factor(context, &anna, password(PASSWORD))
        .await
        .expect("a secret");
    assert!(
        enrollment
            .uri
            .starts_with("otpauth://totp/vintedbot:anna%40example.com?"),
        "{}",
        *enrollment.uri
    );
    let app = App::new(&enrollment.secret);
    let code = || app.code(&world);
    let wrong = identity::confirm_second_factor(context, &anna, "000000").await;
    assert_eq!(reason(wrong), Some(Reason::SecondFactorInvalid));
    let recovery = identity::confirm_second_factor(context, &anna, &code())
        .await
        .expect("recovery codes");
    assert_eq!(recovery.len(), 10);
    let used = try_sign_in(&world, "anna@example.com", PASSWORD, &code()).await;
    assert_eq!(
        reason(used),
        Some(Reason::SecondFactorInvalid),
        "the code was used to confirm"
    );
    world.clock.advance(30_000);
    let without = try_sign_in(&world, "anna@example.com", PASSWORD, "").await;
    assert_eq!(reason(without), Some(Reason::SecondFactorRequired));
    let with_wrong_password = try_sign_in(&world, "anna@example.com", OTHER, &code()).await;
    assert_eq!(reason(with_wrong_password), Some(Reason::CredentialsInvalid));
    try_sign_in(&world, "anna@example.com", PASSWORD, &code())
        .await
        .expect("signs in");
    let again = try_sign_in(&world, "anna@example.com", PASSWORD, &code()).await;
    assert_eq!(reason(again), Some(Reason::SecondFactorInvalid));
    let typed = recovery[3].replace('-', " ").to_uppercase();
    try_sign_in(&world, "anna@example.com", PASSWORD, &typed)
        .await
        .expect("signs in");
    let again = try_sign_in(&world, "anna@example.com", PASSWORD, &recovery[3]).await;
    assert_eq!(reason(again), Some(Reason::SecondFactorInvalid));
    let enabled = identity::enroll_second_factor(context, &anna, password(PASSWORD)).await;
    assert_eq!(reason(enabled), Some(Reason::SecondFactorEnabled));
    identity::disable_second_factor(context, &anna, password(PASSWORD), &recovery[4])
        .await
        .expect("disables");
    try_sign_in(&world, "anna@example.com", PASSWORD, "")
        .await
        .expect("signs in");
}

#[tokio::test]
async fn right_password_does_not_clear_the_count_of_codes() {
    let mut world = World::new().await;
    with_people(&mut world, |people| people.failures_per_account = 4);
    user(&world, "anna@example.com", Role::Owner).await;
    let (_, anna) = sign_in(&world, "anna@example.com").await;
    enable_second_factor(&world, &anna).await;
    let context = &world.context;
    for _ in 0..4 {
        let wrong = identity::disable_second_factor(context, &anna, password(PASSWORD), "000000").await;
        assert_eq!(reason(wrong), Some(Reason::SecondFactorInvalid));
    }
    let limited = identity::disable_second_factor(context, &anna, password(PASSWORD), "000000").await;
    assert_eq!(reason(limited), Some(Reason::RateLimited));
    let limited = try_sign_in(&world, "anna@example.com", PASSWORD, "000000").await;
    assert_eq!(reason(limited), Some(Reason::RateLimited));
}

#[tokio::test]
async fn old_mailbox_cannot_reset_after_a_change_of_address() {
    let world = World::new().await;
    user(&world, "anna@example.com", Role::Owner).await;
    let (_, anna) = sign_in(&world, "anna@example.com").await;
    let old = request_reset(&world, "anna@example.com").await;
    change_email(&world, &anna, "anna@example.org").await;
    let late = identity::reset_password(&world.context, &client(), &old, password(OTHER)).await;
    assert_eq!(reason(late), Some(Reason::LinkInvalid));
}

#[tokio::test]
async fn reset_of_the_password_ends_a_lockout_for_all_clients() {
    let mut world = World::new().await;
    with_people(&mut world, |people| people.failures_per_account = 3);
    user(&world, "anna@example.com", Role::Owner).await;
    let context = &world.context;
    let lock_out = async || {
        for _ in 0..3 {
            let wrong = try_sign_in(&world, "anna@example.com", "wrong password", "").await;
            assert_eq!(reason(wrong), Some(Reason::CredentialsInvalid));
        }
        let limited = try_sign_in(&world, "anna@example.com", "wrong password", "").await;
        assert_eq!(reason(limited), Some(Reason::RateLimited));
    };
    lock_out().await;
    operator::reset_password(context, "anna@example.com", password(OTHER))
        .await
        .expect("resets");
    try_sign_in(&world, "anna@example.com", OTHER, "")
        .await
        .expect("signs in");

    lock_out().await;
    let token = request_reset(&world, "anna@example.com").await;
    let elsewhere = Client {
        address: Some("198.51.100.1".parse().expect("an address")),
        device: "a laptop".to_owned(),
    };
    identity::reset_password(context, &elsewhere, &token, password(PASSWORD))
        .await
        .expect("resets");
    sign_in(&world, "anna@example.com").await;
}
