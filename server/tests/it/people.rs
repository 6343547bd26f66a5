//! People: registration, roles and invitations. `session_tokens` and `cookies` test their sessions, and `people_events`
//! the streams of Watch.

use std::collections::BTreeSet;
use std::fmt::Debug;

use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use vintedbot_domain::identity::operator::{self, NewUser};
use vintedbot_domain::identity::{Password, Role, Scope};
use vintedbot_domain::settings::Registration;
use vintedbot_proto::v1;
use vintedbot_proto::v1::account_service_client::AccountServiceClient;
use vintedbot_proto::v1::auth_service_client::AuthServiceClient;
use vintedbot_proto::v1::webhook_service_client::WebhookServiceClient;
use vintedbot_server::Config;

use crate::harness::{self, Connection, Instance, reason};

/// A password that is hard to guess.
const PASSWORD: &str = "velvet otter marching kites 92";

const REQUEST_ID: &str = "0191b3c2-7f4e-7d3a-9c51-2f6a8e0d4b17";

pub type Client = AuthServiceClient<Connection>;

/// Returns a client with a token, or one for public methods.
pub async fn client(instance: &Instance, token: Option<&str>) -> Client {
    AuthServiceClient::new(instance.connect_as(token).await)
}

/// Creates a person as the operator does. Returns the person's id.
pub async fn person(instance: &Instance, email: &str, role: Role) -> String {
    let new = NewUser {
        email: email.to_owned(),
        display_name: "A person".to_owned(),
        password: Password::new(PASSWORD.to_owned()),
        role: Some(role),
        workspace_id: instance.workspace_id.clone(),
    };
    let created = operator::create_user(&instance.context, new).await;
    created.expect("is created").id
}

pub fn credentials(email: &str) -> v1::SignInRequest {
    v1::SignInRequest {
        email: email.to_owned(),
        password: PASSWORD.to_owned(),
        ..Default::default()
    }
}

/// Signs a person in.
pub async fn sign_in(instance: &Instance, email: &str) -> v1::SessionTokens {
    let mut public = client(instance, None).await;
    let signed_in = public.sign_in(credentials(email)).await.expect("signs in");
    signed_in.into_inner().tokens.expect("tokens")
}

/// Signs a person in. Returns a connection of the session.
pub async fn session(instance: &Instance, email: &str) -> Connection {
    let tokens = sign_in(instance, email).await;
    instance.connect_as(Some(&tokens.access_token)).await
}

/// Creates a person and signs in. Returns the person's id and a connection of the session.
pub async fn member(instance: &Instance, email: &str, role: Role) -> (String, Connection) {
    let id = person(instance, email, role).await;
    (id, session(instance, email).await)
}

fn registration(email: &str, invitation_token: &str) -> v1::RegisterRequest {
    v1::RegisterRequest {
        email: email.to_owned(),
        password: PASSWORD.to_owned(),
        display_name: "Anna".to_owned(),
        workspace_name: String::new(),
        invitation_token: invitation_token.to_owned(),
    }
}

/// Returns the reason of a refusal with the gRPC code.
fn refusal<T: Debug>(answer: Result<T, Status>) -> (Code, String) {
    let status = answer.expect_err("is refused");
    (status.code(), reason(&status))
}

fn unauthenticated(reason: &str) -> (Code, String) {
    (Code::Unauthenticated, reason.to_owned())
}

fn denied(reason: &str) -> (Code, String) {
    (Code::PermissionDenied, reason.to_owned())
}

fn precondition(reason: &str) -> (Code, String) {
    (Code::FailedPrecondition, reason.to_owned())
}

/// Returns the fields that a refusal names as wrong.
fn wrong_fields<T: Debug>(answer: Result<T, Status>) -> Vec<String> {
    let status = answer.expect_err("is refused");
    assert_eq!(reason(&status), "VALIDATION_FAILED");
    let details = status.get_details_bad_request().expect("violations");
    let fields = details.field_violations.into_iter();
    fields.map(|violation| violation.field).collect()
}

#[tokio::test]
async fn first_person_registers_verifies_and_signs_in() {
    let instance = harness::start().await;
    let mut public = client(&instance, None).await;
    let registered = public.register(registration("Anna@Example.com", "")).await;
    assert!(
        registered
            .expect("is accepted")
            .into_inner()
            .verification_required
    );
    let anna = "anna@example.com";
    let early = public.sign_in(credentials(anna)).await;
    assert_eq!(refusal(early), unauthenticated("CREDENTIALS_INVALID"));

    let link = v1::VerifyEmailRequest {
        token: instance.mails.token(anna, "vbm_").await,
    };
    let verified = public.verify_email(link.clone()).await.expect("is verified");
    assert_eq!(verified.into_inner().email, anna);
    let again = public.verify_email(link).await;
    assert_eq!(refusal(again), precondition("LINK_INVALID"));

    let wrong = v1::SignInRequest {
        password: "velvet otter marching kites 93".to_owned(),
        ..credentials(anna)
    };
    let refused = public.sign_in(wrong).await;
    assert_eq!(refusal(refused), unauthenticated("CREDENTIALS_INVALID"));
    let named = v1::SignInRequest {
        device: "Anna's phone".to_owned(),
        ..credentials(anna)
    };
    let signed_in = public.sign_in(named).await.expect("signs in").into_inner();
    let user = signed_in.user.expect("a person");
    assert_eq!((user.email.as_str(), user.role()), (anna, v1::Role::Owner));

    let tokens = signed_in.tokens.expect("tokens");
    let mut as_anna = client(&instance, Some(&tokens.access_token)).await;
    let me = as_anna.get_me(v1::GetMeRequest {}).await.expect("answers");
    let me = me.into_inner();
    assert_eq!(me.workspace_id, instance.workspace_id);
    assert_eq!((me.user, me.api_token), (Some(user), None));
    assert_eq!(me.scopes, Scope::ALL.map(Scope::name));
    let session = me.session.expect("a session");
    assert!(session.current);
    assert_eq!(
        (session.device.as_str(), session.address.as_str()),
        ("Anna's phone", "127.0.0.1")
    );

    let signed_out = as_anna.sign_out(v1::SignOutRequest::default()).await;
    signed_out.expect("signs out");
    let after = as_anna.get_me(v1::GetMeRequest {}).await;
    assert_eq!(refusal(after), unauthenticated("TOKEN_INVALID"));
    let refresh = v1::RefreshSessionRequest {
        refresh_token: tokens.refresh_token,
    };
    let after = public.refresh_session(refresh).await;
    assert_eq!(refusal(after), unauthenticated("REFRESH_TOKEN_INVALID"));
    let second = public.register(registration("ben@example.com", "")).await;
    assert_eq!(refusal(second), denied("REGISTRATION_CLOSED"));
    instance.stop().await;
}

#[tokio::test]
async fn wrong_fields_are_violations_reported_together() {
    let instance = harness::start().await;
    let mut public = client(&instance, None).await;
    let request = v1::SignInRequest {
        device: "x".repeat(101),
        ..Default::default()
    };
    let answer = public.sign_in(request).await;
    assert_eq!(wrong_fields(answer), ["device", "email", "password"]);
    let answer = public.register(v1::RegisterRequest::default()).await;
    assert_eq!(wrong_fields(answer), ["email", "password", "display_name"]);
    let answer = public.verify_email(v1::VerifyEmailRequest::default()).await;
    assert_eq!(wrong_fields(answer), ["token"]);
    let answer = public.reset_password(v1::ResetPasswordRequest::default()).await;
    assert_eq!(wrong_fields(answer), ["token", "new_password"]);

    let (id, connection) = member(&instance, "anna@example.com", Role::Owner).await;
    let mut owner = AuthServiceClient::new(connection);
    for (id, role, wrong) in [("7", 0, &["id", "role"][..]), (id.as_str(), 9, &["role"][..])] {
        let request = v1::UpdateUserRequest {
            id: id.to_owned(),
            role,
        };
        assert_eq!(wrong_fields(owner.update_user(request).await), wrong);
    }
    for role in [0, 9] {
        let request = v1::CreateInvitationRequest {
            email: "no address".to_owned(),
            role,
            ..Default::default()
        };
        let answer = owner.create_invitation(request).await;
        assert_eq!(wrong_fields(answer), ["email", "role"]);
    }
    let answer = owner.change_password(v1::ChangePasswordRequest::default()).await;
    assert_eq!(wrong_fields(answer), ["current_password", "new_password"]);
    let answer = owner.change_email(v1::ChangeEmailRequest::default()).await;
    assert_eq!(wrong_fields(answer), ["new_email", "password"]);
    let answer = owner
        .delete_workspace(v1::DeleteWorkspaceRequest::default())
        .await;
    assert_eq!(wrong_fields(answer), ["password", "workspace_name"]);
    let answer = owner.delete_user(v1::DeleteUserRequest::default()).await;
    assert_eq!(wrong_fields(answer), ["id"]);
    instance.stop().await;
}

#[tokio::test]
async fn huge_password_is_refused_before_it_is_hashed() {
    let instance = harness::start().await;
    let mut public = client(&instance, None).await;
    for (bytes, expected) in [(10 << 20, "MESSAGE_TOO_LARGE"), (1 << 20, "VALIDATION_FAILED")] {
        let password = "x".repeat(bytes);
        let request = v1::SignInRequest {
            password: password.clone(),
            ..credentials("anna@example.com")
        };
        assert_eq!(refusal(public.sign_in(request).await).1, expected);
        let request = v1::RegisterRequest {
            password,
            ..registration("anna@example.com", "")
        };
        assert_eq!(refusal(public.register(request).await).1, expected);
    }
    instance.stop().await;
}

#[tokio::test]
async fn viewer_cannot_write_and_member_cannot_manage() {
    let instance = harness::start().await;
    let (owner_id, owner) = member(&instance, "anna@example.com", Role::Owner).await;
    let (_, writer) = member(&instance, "ben@example.com", Role::Member).await;
    let (viewer_id, viewer) = member(&instance, "cleo@example.com", Role::Viewer).await;

    let write = async |connection: &Connection| {
        let mut accounts = AccountServiceClient::new(connection.clone());
        accounts.create_account(v1::CreateAccountRequest::default()).await
    };
    let status = write(&viewer).await.expect_err("a viewer may not write");
    let info = status.get_details_error_info().expect("ErrorInfo");
    assert_eq!(info.reason, "ERROR_REASON_INSUFFICIENT_ROLE");
    assert_eq!(info.metadata["role"], "MEMBER");
    for connection in [&writer, &owner] {
        assert_eq!(refusal(write(connection).await).1, "VALIDATION_FAILED");
    }
    let mut accounts = AccountServiceClient::new(viewer.clone());
    let read = accounts.list_accounts(v1::ListAccountsRequest::default()).await;
    read.expect("a viewer may read");

    for connection in [&viewer, &writer] {
        let mut auth = AuthServiceClient::new(connection.clone());
        let update = v1::UpdateUserRequest {
            id: owner_id.clone(),
            role: v1::Role::Viewer.into(),
        };
        let delete = v1::DeleteUserRequest { id: owner_id.clone() };
        let mut hooks = WebhookServiceClient::new(connection.clone());
        let refusals = [
            refusal(auth.update_user(update).await),
            refusal(auth.delete_user(delete).await),
            refusal(
                auth.create_invitation(v1::CreateInvitationRequest::default())
                    .await,
            ),
            refusal(auth.list_invitations(v1::ListInvitationsRequest::default()).await),
            refusal(auth.create_api_token(v1::CreateApiTokenRequest::default()).await),
            refusal(auth.delete_workspace(v1::DeleteWorkspaceRequest::default()).await),
            refusal(hooks.create_endpoint(v1::CreateEndpointRequest::default()).await),
        ];
        for refusal in refusals {
            assert_eq!(refusal, denied("INSUFFICIENT_ROLE"));
        }
        let users = auth.list_users(v1::ListUsersRequest::default()).await;
        assert_eq!(users.expect("each role may").into_inner().users.len(), 3);
    }

    let request = v1::UpdateUserRequest {
        id: viewer_id,
        role: v1::Role::Member.into(),
    };
    let updated = AuthServiceClient::new(owner).update_user(request).await;
    let updated = updated.expect("is changed").into_inner().user;
    assert_eq!(updated.expect("a person").role(), v1::Role::Member);
    let promoted = session(&instance, "cleo@example.com").await;
    assert_eq!(refusal(write(&promoted).await).1, "VALIDATION_FAILED");
    instance.stop().await;
}

#[tokio::test]
async fn invitation_works_once_and_for_its_address_only() {
    let instance = harness::start_where(Config::default(), |settings| {
        settings.people.registration = Registration::Invitation;
    })
    .await;
    let (_, connection) = member(&instance, "anna@example.com", Role::Owner).await;
    let mut owner = AuthServiceClient::new(connection);
    let request = v1::CreateInvitationRequest {
        email: "Ben@Example.com".to_owned(),
        role: v1::Role::Member.into(),
        request_id: REQUEST_ID.to_owned(),
    };
    let created = owner.create_invitation(request.clone()).await.expect("is made");
    let created = created.into_inner();
    let ben = "ben@example.com";
    assert_eq!(instance.mails.token(ben, "vbi_").await, created.invitation_token);
    let invitation = created.invitation.expect("an invitation");
    assert_eq!(
        (invitation.email.as_str(), invitation.role()),
        (ben, v1::Role::Member)
    );
    let again = owner
        .create_invitation(request)
        .await
        .expect("is found")
        .into_inner();
    assert_eq!(again.invitation, Some(invitation.clone()));
    assert_eq!(again.invitation_token, "");

    let mut public = client(&instance, None).await;
    let token = created.invitation_token;
    let other = public.register(registration("cleo@example.com", &token)).await;
    assert_eq!(refusal(other), precondition("INVITATION_INVALID"));
    let uninvited = public.register(registration("cleo@example.com", "")).await;
    assert_eq!(refusal(uninvited), denied("REGISTRATION_CLOSED"));
    let accepted = public.register(registration(ben, &token)).await.expect("joins");
    assert!(!accepted.into_inner().verification_required);
    let twice = public.register(registration(ben, &token)).await;
    assert_eq!(refusal(twice), precondition("INVITATION_INVALID"));

    let mut as_ben = AuthServiceClient::new(session(&instance, ben).await);
    let me = as_ben
        .get_me(v1::GetMeRequest {})
        .await
        .expect("answers")
        .into_inner();
    assert_eq!(me.workspace_id, instance.workspace_id);
    assert_eq!(me.user.expect("a person").role(), v1::Role::Member);
    let taken = v1::CreateInvitationRequest {
        email: "anna@example.com".to_owned(),
        role: v1::Role::Viewer.into(),
        ..Default::default()
    };
    let taken = owner.create_invitation(taken).await;
    assert_eq!(refusal(taken), (Code::AlreadyExists, "EMAIL_TAKEN".to_owned()));

    let request = v1::CreateInvitationRequest {
        email: "dora@example.com".to_owned(),
        role: v1::Role::Viewer.into(),
        ..Default::default()
    };
    let created = owner
        .create_invitation(request)
        .await
        .expect("is made")
        .into_inner();
    let listed = owner
        .list_invitations(v1::ListInvitationsRequest::default())
        .await;
    let listed = listed.expect("lists").into_inner().invitations;
    assert_eq!(listed, [created.invitation.expect("an invitation")]);
    let request = v1::DeleteInvitationRequest {
        id: listed[0].id.clone(),
    };
    owner.delete_invitation(request).await.expect("is deleted");
    let deleted = registration("dora@example.com", &created.invitation_token);
    let deleted = public.register(deleted).await;
    assert_eq!(refusal(deleted), precondition("INVITATION_INVALID"));
    instance.stop().await;
}

#[tokio::test]
async fn last_owner_cannot_leave_or_be_demoted() {
    let instance = harness::start().await;
    let (anna_id, connection) = member(&instance, "anna@example.com", Role::Owner).await;
    let (ben_id, _) = member(&instance, "ben@example.com", Role::Member).await;
    let mut owner = AuthServiceClient::new(connection);
    let leave = v1::LeaveWorkspaceRequest {
        password: PASSWORD.to_owned(),
    };
    let demote = v1::UpdateUserRequest {
        id: anna_id.clone(),
        role: v1::Role::Member.into(),
    };
    let delete = v1::DeleteUserRequest { id: anna_id };
    let last = precondition("LAST_OWNER");
    assert_eq!(refusal(owner.leave_workspace(leave.clone()).await), last);
    assert_eq!(refusal(owner.update_user(demote).await), last);
    assert_eq!(
        wrong_fields(owner.delete_user(delete).await),
        ["id"],
        "LeaveWorkspace asks for the password"
    );

    let promote = v1::UpdateUserRequest {
        id: ben_id,
        role: v1::Role::Owner.into(),
    };
    owner.update_user(promote).await.expect("is changed");
    let wrong = v1::LeaveWorkspaceRequest {
        password: "velvet otter marching kites 93".to_owned(),
    };
    let refused = owner.leave_workspace(wrong).await;
    assert_eq!(refusal(refused), unauthenticated("CREDENTIALS_INVALID"));
    owner.leave_workspace(leave).await.expect("leaves");
    let after = owner.get_me(v1::GetMeRequest {}).await;
    assert_eq!(refusal(after), unauthenticated("TOKEN_INVALID"));
    let mut public = client(&instance, None).await;
    let gone = public.sign_in(credentials("anna@example.com")).await;
    assert_eq!(refusal(gone), unauthenticated("CREDENTIALS_INVALID"));
    instance.stop().await;
}

#[tokio::test]
async fn equal_invitations_create_and_mail_one() {
    let instance = harness::start_where(Config::default(), |settings| {
        settings.people.registration = Registration::Invitation;
    })
    .await;
    let (_, owner) = member(&instance, "anna@example.com", Role::Owner).await;
    let request = v1::CreateInvitationRequest {
        email: "ben@example.com".to_owned(),
        role: v1::Role::Member.into(),
        request_id: REQUEST_ID.to_owned(),
    };
    let calls = (0..20).map(|_| {
        let (mut owner, request) = (AuthServiceClient::new(owner.clone()), request.clone());
        tokio::spawn(async move { owner.create_invitation(request).await })
    });
    let (mut ids, mut tokens) = (BTreeSet::new(), Vec::new());
    for call in calls.collect::<Vec<_>>() {
        let answer = call.await.expect("ends").expect("answers").into_inner();
        ids.insert(answer.invitation.expect("an invitation").id);
        tokens.push(answer.invitation_token);
    }
    assert_eq!(ids.len(), 1);
    assert_eq!(tokens.iter().filter(|token| !token.is_empty()).count(), 1);
    let mailed = instance.mails.token("ben@example.com", "vbi_").await;
    assert!(tokens.contains(&mailed));
    // Mails are sent in their order, so a second mail to Ben would have come before this one.
    let other = v1::CreateInvitationRequest {
        email: "cleo@example.com".to_owned(),
        role: v1::Role::Member.into(),
        ..Default::default()
    };
    let created = AuthServiceClient::new(owner).create_invitation(other).await;
    created.expect("is made");
    instance.mails.token("cleo@example.com", "vbi_").await;
    assert!(instance.mails.is_empty(), "one mail was sent to Ben");
    instance.stop().await;
}
