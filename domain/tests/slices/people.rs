//! People: registration, sign-in, sessions, roles, invitations, and the end of a workspace.

use sea_orm::{ConnectionTrait, DbBackend, Statement};
use totp_rs::{Builder, Secret, Totp};
use vintedbot_domain::events::Kind;
use vintedbot_domain::identity::operator::{self, NewUser};
use vintedbot_domain::identity::{
    self, Access, Caller, Client, NewInvitation, NewToken, Password, Registration, Role, Scope, SignIn,
    SignedIn,
};
use vintedbot_domain::listings::ListingInput;
use vintedbot_domain::paging::PageRequest;
use vintedbot_domain::settings;
use vintedbot_domain::{Error, Reason};

use crate::support::{World, reason};

const PASSWORD: &str = "seven green kettles sing";
const OTHER: &str = "ninety purple lanterns hum";
const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

fn password(text: &str) -> Password {
    Password::new(text.to_owned())
}

fn client() -> Client {
    Client {
        address: Some("192.0.2.7".parse().expect("an address")),
        device: "a phone".to_owned(),
    }
}

/// Changes the settings of people.
fn with_people(world: &mut World, change: impl FnOnce(&mut settings::People)) {
    let mut settings = (*world.context.settings).clone();
    change(&mut settings.people);
    world.context.settings = settings.into();
}

async fn user(world: &World, email: &str, role: Role) -> String {
    let new = NewUser {
        email: email.to_owned(),
        display_name: "Anna".to_owned(),
        password: password(PASSWORD),
        role,
        workspace_id: world.caller.workspace_id.clone(),
    };
    operator::create_user(&world.context, new)
        .await
        .expect("a person")
        .id
}

async fn try_sign_in(world: &World, email: &str, with: &str, code: &str) -> Result<SignedIn, Error> {
    let sign_in = SignIn {
        email: email.to_owned(),
        password: password(with),
        code: code.to_owned(),
    };
    identity::sign_in(&world.context, &client(), sign_in).await
}

async fn sign_in(world: &World, email: &str) -> (SignedIn, Caller) {
    let signed_in = try_sign_in(world, email, PASSWORD, "").await.expect("signs in");
    let caller = caller(world, &signed_in.tokens.access_token)
        .await
        .expect("is known");
    (signed_in, caller)
}

async fn caller(world: &World, token: &str) -> Result<Caller, Error> {
    identity::authenticate(&world.context, Some(token)).await
}

async fn refresh(world: &World, token: &str) -> Result<identity::SessionTokens, Error> {
    identity::refresh_session(&world.context, &client(), token).await
}

/// Returns the first word of a mail's text with this prefix.
fn token_in(text: &str, prefix: &str) -> String {
    let word = text.lines().find(|line| line.starts_with(prefix));
    word.unwrap_or_else(|| panic!("no token in {text}")).to_owned()
}

fn registration(email: &str) -> Registration {
    Registration {
        email: email.to_owned(),
        password: password(PASSWORD),
        display_name: "Anna".to_owned(),
        workspace_name: String::new(),
        invitation_token: String::new(),
    }
}

async fn register(world: &World, registration: Registration) -> Result<bool, Error> {
    identity::register(&world.context, &client(), registration).await
}

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
    with_people(&mut world, |people| {
        people.registration = settings::Registration::Open
    });
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
    let token = token_in(&world.mails.next().await.text, "vbm_");
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
    let Err(Error::Invalid(violations)) = register(&world, wrong).await else {
        panic!("is accepted");
    };
    let fields: Vec<_> = violations
        .iter()
        .map(|violation| violation.field.as_str())
        .collect();
    assert_eq!(fields, ["email", "password", "display_name", "workspace_name"]);
}

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

async fn invite(world: &World, owner: &Caller, email: &str, role: Role) -> String {
    let new = NewInvitation {
        email: email.to_owned(),
        role: Some(role),
        request_id: None,
    };
    let created = identity::create_invitation(&world.context, owner, new)
        .await
        .expect("invites");
    let token = created.token.expect("a token");
    assert_eq!(token_in(&world.mails.next().await.text, "vbi_"), *token);
    token.to_string()
}

#[tokio::test]
async fn invitation_is_accepted_once_and_by_its_address() {
    let mut world = World::new().await;
    with_people(&mut world, |people| {
        people.registration = settings::Registration::Invitation
    });
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
    let taken = NewInvitation {
        email: "ben@example.com".to_owned(),
        role: Some(Role::Member),
        request_id: None,
    };
    let taken = identity::create_invitation(&world.context, &anna, taken)
        .await
        .map(drop);
    assert_eq!(reason(taken), Some(Reason::EmailTaken));
    let closed = register(&world, registration("dora@example.com")).await;
    assert_eq!(reason(closed), Some(Reason::RegistrationClosed));
}

#[tokio::test]
async fn deleted_and_expired_invitations_are_refused() {
    let mut world = World::new().await;
    with_people(&mut world, |people| {
        people.registration = settings::Registration::Invitation
    });
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
    identity::request_password_reset(&world.context, &client(), "anna@example.com")
        .await
        .expect("answers");
    operator::set_disabled(&world.context, "anna@example.com", false)
        .await
        .expect("enables");
    sign_in(&world, "anna@example.com").await;
}

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

#[tokio::test]
async fn call_that_outlives_its_callers_role_is_refused() {
    let mut world = World::new().await;
    with_people(&mut world, |people| {
        people.registration = settings::Registration::Invitation;
    });
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
    let new = NewInvitation {
        email: "dora@example.com".to_owned(),
        role: Some(Role::Owner),
        request_id: None,
    };
    let invited = identity::create_invitation(context, &ben, new).await.map(drop);
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
async fn only_one_person_is_the_first() {
    let world = World::new().await;
    let mut tokens = Vec::new();
    for email in ["anna@example.com", "evil@example.com"] {
        assert!(
            register(&world, registration(email))
                .await
                .expect("nobody is first yet")
        );
        tokens.push(token_in(&world.mails.next().await.text, "vbm_"));
    }
    let context = &world.context;
    let verify = |token: String| async move { identity::verify_email(context, &client(), &token).await };
    verify(tokens.remove(0)).await.expect("is the first");
    assert_eq!(reason(verify(tokens.remove(0)).await), Some(Reason::LinkInvalid));
}

#[tokio::test]
async fn workspace_with_accounts_is_not_given_to_the_first_comer() {
    let (world, _) = World::with_account().await;
    let refused = register(&world, registration("anna@example.com")).await;
    assert_eq!(reason(refused), Some(Reason::RegistrationClosed));
}

#[tokio::test]
async fn registration_of_a_stranger_does_not_void_ones_own() {
    let mut world = World::new().await;
    with_people(&mut world, |people| {
        people.registration = settings::Registration::Open;
    });
    register(&world, registration("anna@example.com"))
        .await
        .expect("mails");
    let own = token_in(&world.mails.next().await.text, "vbm_");
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

#[tokio::test]
async fn events_of_a_deleted_person_lose_their_content() {
    let world = World::new().await;
    user(&world, "anna@example.com", Role::Owner).await;
    let ben_id = user(&world, "ben@example.com", Role::Member).await;
    let (_, anna) = sign_in(&world, "anna@example.com").await;
    sign_in(&world, "ben@example.com").await;
    identity::delete_user(&world.context, &anna, &ben_id)
        .await
        .expect("deletes");
    for event in world.events().await {
        assert!(!event.payload.contains("ben@example.com"), "{event:?}");
        assert!(!event.payload.contains("192.0.2.7"), "{event:?}");
    }
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
