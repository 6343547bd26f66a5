//! Registration, and invitations.

use vintedbot_domain::identity::{self, Registration, Role};
use vintedbot_domain::paging::PageRequest;
use vintedbot_domain::{Reason, settings};

use super::{
    DAY, MINUTE, OTHER, PASSWORD, client, invite, mailed_token, password, register, registration, sign_in,
    token_in, try_invite, try_sign_in, user, with_registration,
};
use crate::support::{World, reason, violated};

#[tokio::test]
async fn first_person_becomes_owner_of_the_existing_workspace() {
    let world = World::new().await;
    assert!(
        register(&world, registration("Anna@Example.com"))
            .await
            .expect("is asked to verify")
    );
    let early = try_sign_in(&world, "anna@example.com", PASSWORD, "").await;
    assert_eq!(
        reason(early),
        Some(Reason::CredentialsInvalid),
        "the address is not verified"
    );
    let mail = world.mails.next().await;
    assert_eq!(mail.to, "anna@example.com");
    let token = token_in(&mail.text, "vbm_");
    assert!(
        mail.text
            .contains(&format!("https://bot.example/verify-email#{token}"))
    );
    let verified = identity::verify_email(&world.context, &client(), &token).await;
    assert_eq!(verified.expect("verifies"), "anna@example.com");
    let again = identity::verify_email(&world.context, &client(), &token).await;
    assert_eq!(reason(again), Some(Reason::LinkInvalid));

    let (signed_in, caller) = sign_in(&world, " ANNA@example.com").await;
    assert_eq!(caller.workspace_id, world.caller.workspace_id);
    assert_eq!(signed_in.user.role, Role::Owner);
    let me = identity::get_me(&world.context, &caller).await.expect("answers");
    assert_eq!(me.user.expect("a person").email, "anna@example.com");
    assert_eq!(me.session.expect("a session").address, "192.0.2.7");
    let second = register(&world, registration("ben@example.com")).await;
    assert_eq!(reason(second), Some(Reason::RegistrationClosed));
}

#[tokio::test]
async fn open_registration_hides_known_addresses() {
    let mut world = World::new().await;
    user(&world, "anna@example.com", Role::Owner).await;
    with_registration(&mut world, settings::Registration::Open);
    assert!(
        register(&world, registration("anna@example.com"))
            .await
            .expect("answers as for a new address")
    );
    assert!(world.mails.next().await.subject.contains("already"));
    assert!(
        register(&world, registration("ben@example.com"))
            .await
            .expect("is asked to verify")
    );
    let token = mailed_token(&world).await;
    identity::verify_email(&world.context, &client(), &token)
        .await
        .expect("verifies");
    let (_, ben) = sign_in(&world, "ben@example.com").await;
    assert_ne!(ben.workspace_id, world.caller.workspace_id);
}

#[tokio::test]
async fn unusable_registration_lists_all_violations() {
    let world = World::new().await;
    let wrong = Registration {
        email: "anna".to_owned(),
        password: password("anna"),
        display_name: "\u{7}".to_owned(),
        workspace_name: "x".repeat(101),
        invitation_token: String::new(),
    };
    assert_eq!(
        violated(register(&world, wrong).await),
        ["email", "password", "display_name", "workspace_name"]
    );
}

#[tokio::test]
async fn invitation_is_accepted_once_and_by_its_address() {
    let mut world = World::new().await;
    with_registration(&mut world, settings::Registration::Invitation);
    user(&world, "anna@example.com", Role::Owner).await;
    let (_, anna) = sign_in(&world, "anna@example.com").await;
    let token = invite(&world, &anna, "Ben@example.com", Role::Viewer).await;
    let with = |email: &str| Registration {
        invitation_token: token.clone(),
        ..registration(email)
    };
    let other = register(&world, with("carl@example.com")).await;
    assert_eq!(reason(other), Some(Reason::InvitationInvalid));
    assert!(
        !register(&world, with("ben@example.com"))
            .await
            .expect("needs no verification")
    );
    let (signed_in, ben) = sign_in(&world, "ben@example.com").await;
    assert_eq!(
        (signed_in.user.role, ben.workspace_id),
        (Role::Viewer, anna.workspace_id.clone())
    );
    let again = register(&world, with("ben@example.com")).await;
    assert_eq!(reason(again), Some(Reason::InvitationInvalid));
    let taken = try_invite(&world, &anna, "ben@example.com", Role::Member).await;
    assert_eq!(reason(taken), Some(Reason::EmailTaken));
    let closed = register(&world, registration("dora@example.com")).await;
    assert_eq!(reason(closed), Some(Reason::RegistrationClosed));
}

#[tokio::test]
async fn deleted_and_expired_invitations_are_refused() {
    let mut world = World::new().await;
    with_registration(&mut world, settings::Registration::Invitation);
    user(&world, "anna@example.com", Role::Owner).await;
    let (_, anna) = sign_in(&world, "anna@example.com").await;
    let deleted = invite(&world, &anna, "ben@example.com", Role::Member).await;
    let listed = identity::list_invitations(&world.context, &anna, &PageRequest::default()).await;
    let id = listed.expect("lists").items.remove(0).id;
    identity::delete_invitation(&world.context, &anna, &id)
        .await
        .expect("deletes");
    let expired = invite(&world, &anna, "carl@example.com", Role::Member).await;
    world.clock.advance(7 * DAY);
    for (token, email) in [(deleted, "ben@example.com"), (expired, "carl@example.com")] {
        let with = Registration {
            invitation_token: token,
            ..registration(email)
        };
        assert_eq!(
            reason(register(&world, with).await),
            Some(Reason::InvitationInvalid)
        );
    }
}

#[tokio::test]
async fn invitations_require_that_registration_is_on() {
    let world = World::new().await;
    user(&world, "anna@example.com", Role::Owner).await;
    let (_, anna) = sign_in(&world, "anna@example.com").await;
    let refused = try_invite(&world, &anna, "ben@example.com", Role::Member).await;
    assert_eq!(reason(refused), Some(Reason::RegistrationClosed));
}

#[tokio::test]
async fn mails_to_an_address_and_of_a_workspace_are_limited() {
    let mut world = World::new().await;
    with_registration(&mut world, settings::Registration::Invitation);
    user(&world, "anna@example.com", Role::Owner).await;
    let (_, anna) = sign_in(&world, "anna@example.com").await;
    for _ in 0..3 {
        try_invite(&world, &anna, "ben@example.com", Role::Member)
            .await
            .expect("mails");
    }
    let limited = try_invite(&world, &anna, "ben@example.com", Role::Member).await;
    assert_eq!(reason(limited), Some(Reason::RateLimited));
    let limited = identity::request_password_reset(&world.context, &client(), "ben@example.com").await;
    assert_eq!(reason(limited), Some(Reason::RateLimited));
    for number in 3..20 {
        try_invite(
            &world,
            &anna,
            &format!("person{number}@example.com"),
            Role::Member,
        )
        .await
        .expect("mails");
    }
    let limited = try_invite(&world, &anna, "carl@example.com", Role::Member).await;
    assert_eq!(reason(limited), Some(Reason::RateLimited));
    world.clock.advance(15 * MINUTE);
    try_invite(&world, &anna, "ben@example.com", Role::Member)
        .await
        .expect("mails");
}

#[tokio::test]
async fn only_one_person_is_the_first() {
    let world = World::new().await;
    let mut tokens = Vec::new();
    for email in ["anna@example.com", "evil@example.com"] {
        assert!(
            register(&world, registration(email))
                .await
                .expect("there is no person yet")
        );
        tokens.push(mailed_token(&world).await);
    }
    let context = &world.context;
    let verify = |token: String| async move { identity::verify_email(context, &client(), &token).await };
    verify(tokens.remove(0)).await.expect("is the first");
    assert_eq!(reason(verify(tokens.remove(0)).await), Some(Reason::LinkInvalid));
}

#[tokio::test]
async fn workspace_with_accounts_cannot_be_taken_by_registration() {
    let (world, _) = World::with_account().await;
    let refused = register(&world, registration("anna@example.com")).await;
    assert_eq!(reason(refused), Some(Reason::RegistrationClosed));
}

#[tokio::test]
async fn registration_by_a_stranger_does_not_void_another() {
    let mut world = World::new().await;
    with_registration(&mut world, settings::Registration::Open);
    register(&world, registration("anna@example.com"))
        .await
        .expect("mails");
    let own = mailed_token(&world).await;
    let strange = Registration {
        password: password(OTHER),
        ..registration("anna@example.com")
    };
    register(&world, strange).await.expect("mails");
    world.mails.next().await;
    identity::verify_email(&world.context, &client(), &own)
        .await
        .expect("verifies");
    sign_in(&world, "anna@example.com").await;
}
