//! Passwords, addresses and the second factor.

use totp_rs::{Builder, Secret, Totp};
use vintedbot_domain::identity::{self, Role};
use vintedbot_domain::{Error, Reason};

use super::{MINUTE, OTHER, PASSWORD, client, password, sign_in, token_in, try_sign_in, user, with_people};
use crate::support::{World, reason};

#[tokio::test]
async fn reset_password_ends_all_sessions() {
    let world = World::new().await;
    user(&world, "anna@example.com", Role::Owner).await;
    let (_, anna) = sign_in(&world, "anna@example.com").await;
    for email in ["nobody@example.com", "anna@example.com"] {
        identity::request_password_reset(&world.context, &client(), email)
            .await
            .expect("answers alike");
    }
    let token = token_in(&world.mails.next().await.text, "vbm_");
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
    identity::request_password_reset(&world.context, &client(), "anna@example.com")
        .await
        .expect("answers");
    let token = token_in(&world.mails.next().await.text, "vbm_");
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
    identity::change_email(context, &anna, "anna@example.org", password(PASSWORD))
        .await
        .expect("mails");
    let token = token_in(&world.mails.next().await.text, "vbm_");
    identity::verify_email(context, &client(), &token)
        .await
        .expect("changes");
    assert_eq!(
        world.mails.next().await.to,
        "anna@example.com",
        "the old address is told"
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

fn totp(secret: &str) -> Totp {
    let secret = Secret::try_from_base32(secret).expect("base32");
    Builder::new()
        .with_secret(secret)
        .with_account_name("anna")
        .build()
        .expect("a second factor")
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
    let totp = totp(&enrollment.secret);
    let code = || {
        totp.generate(u64::try_from(context.clock.now() / 1_000).expect("a time"))
            .to_string()
    };
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
    let context = &world.context;
    let enrollment = identity::enroll_second_factor(context, &anna, password(PASSWORD))
        .await
        .expect("a secret");
    let now = u64::try_from(context.clock.now() / 1_000).expect("a time");
    let code = totp(&enrollment.secret).generate(now).to_string();
    identity::confirm_second_factor(context, &anna, &code)
        .await
        .expect("enables");
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
    let context = &world.context;
    identity::request_password_reset(context, &client(), "anna@example.com")
        .await
        .expect("mails");
    let old = token_in(&world.mails.next().await.text, "vbm_");
    identity::change_email(context, &anna, "anna@example.org", password(PASSWORD))
        .await
        .expect("mails");
    let token = token_in(&world.mails.next().await.text, "vbm_");
    identity::verify_email(context, &client(), &token)
        .await
        .expect("changes");
    let late = identity::reset_password(context, &client(), &old, password(OTHER)).await;
    assert_eq!(reason(late), Some(Reason::LinkInvalid));
}
