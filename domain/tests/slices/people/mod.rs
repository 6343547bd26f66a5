//! People: registration, sign-in, sessions, roles, invitations, and the end of a workspace.

mod credentials;
mod members;
mod registration;
mod sessions;
mod upkeep;
mod workspace;

use totp_rs::{Builder, Secret, Totp};
use vintedbot_domain::identity::operator::{self, NewUser};
use vintedbot_domain::identity::{
    self, Caller, Client, CreatedInvitation, NewInvitation, Password, Registration, Role, SignIn, SignedIn,
};
use vintedbot_domain::{Error, settings};

use crate::support::World;

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

/// Sets who may register.
fn with_registration(world: &mut World, registration: settings::Registration) {
    with_people(world, |people| people.registration = registration);
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
        role: Some(role),
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

/// Waits for the next mail and returns the mailed token in it.
async fn mailed_token(world: &World) -> String {
    token_in(&world.mails.next().await.text, "vbm_")
}

/// Requests a reset of the password. Returns the mailed token.
async fn request_reset(world: &World, email: &str) -> String {
    identity::request_password_reset(&world.context, &client(), email)
        .await
        .expect("answers");
    mailed_token(world).await
}

/// Changes the caller's address, and verifies the new one.
async fn change_email(world: &World, caller: &Caller, new_email: &str) {
    identity::change_email(&world.context, caller, new_email, password(PASSWORD))
        .await
        .expect("mails");
    let token = mailed_token(world).await;
    identity::verify_email(&world.context, &client(), &token)
        .await
        .expect("changes");
}

/// An authenticator app.
struct App(Totp);

impl App {
    fn new(secret: &str) -> Self {
        let secret = Secret::try_from_base32(secret).expect("base32");
        let totp = Builder::new().with_secret(secret).with_account_name("anna");
        Self(totp.build().expect("a second factor"))
    }

    /// Returns the current code.
    fn code(&self, world: &World) -> String {
        let seconds = world.context.clock.now() / 1_000;
        self.0
            .generate(u64::try_from(seconds).expect("a time"))
            .to_string()
    }
}

/// Enables a second factor. Returns the app and the recovery codes.
async fn enable_second_factor(world: &World, caller: &Caller) -> (App, Vec<String>) {
    let context = &world.context;
    let enrollment = identity::enroll_second_factor(context, caller, password(PASSWORD))
        .await
        .expect("a secret");
    let app = App::new(&enrollment.secret);
    let recovery_codes = identity::confirm_second_factor(context, caller, &app.code(world))
        .await
        .expect("recovery codes");
    (app, recovery_codes)
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

async fn try_invite(
    world: &World,
    owner: &Caller,
    email: &str,
    role: Role,
) -> Result<CreatedInvitation, Error> {
    let new = NewInvitation {
        email: email.to_owned(),
        role: Some(role),
        request_id: None,
    };
    identity::create_invitation(&world.context, owner, new).await
}

async fn invite(world: &World, owner: &Caller, email: &str, role: Role) -> String {
    let created = try_invite(world, owner, email, role).await.expect("invites");
    let token = created.token.expect("a token");
    assert_eq!(token_in(&world.mails.next().await.text, "vbi_"), *token);
    token.to_string()
}
