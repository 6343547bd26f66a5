//! People: the operator's commands beside a running instance, the demo person, and mail without a mail server.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use vintedbot_sdk::v1::auth_service_client::AuthServiceClient;
use vintedbot_sdk::v1::{
    GetMeRequest, GetMeResponse, RegisterRequest, Role, SignInRequest, SignInResponse, VerifyEmailRequest,
};

use crate::rig::{Home, Instance, PATIENCE};

/// A password that is hard to guess.
pub const PASSWORD: &str = "plum violin gravel Tuesday";

/// Returns a client for calls without an API token.
pub async fn auth(instance: &Instance) -> AuthServiceClient<Channel> {
    AuthServiceClient::connect(instance.url())
        .await
        .expect("it listens")
}

/// Returns the token in the text of a mail.
pub fn mailed_token(text: &str) -> Option<String> {
    let start = text.find("vbm_")?;
    let is_part = |c: &char| c.is_ascii_alphanumeric() || "-_".contains(*c);
    Some(text[start..].chars().take_while(is_part).collect())
}

async fn sign_in(instance: &Instance, email: &str, password: &str) -> Result<SignInResponse, Status> {
    let request = SignInRequest {
        email: email.to_owned(),
        password: password.to_owned(),
        ..Default::default()
    };
    Ok(auth(instance).await.sign_in(request).await?.into_inner())
}

async fn get_me(instance: &Instance, signed_in: &SignInResponse) -> Result<GetMeResponse, Status> {
    let tokens = signed_in.tokens.as_ref().expect("tokens");
    let mut request = Request::new(GetMeRequest {});
    let bearer = format!("Bearer {}", tokens.access_token);
    let metadata = request.metadata_mut();
    metadata.insert("authorization", bearer.parse().expect("ASCII"));
    Ok(auth(instance).await.get_me(request).await?.into_inner())
}

fn assert_refused<T>(result: Result<T, Status>) {
    assert_eq!(
        result.err().map(|status| status.code()),
        Some(Code::Unauthenticated)
    );
}

/// Runs `vintedbot user` with these arguments and this input. Returns what it printed.
async fn user(home: &Home, arguments: &[&str], input: &str) -> Result<String, String> {
    let arguments = [&["user"][..], arguments].concat();
    let mut process = home
        .command(&arguments, &[])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = process.stdin.take().expect("it is piped");
    // A command that reads no input may have ended.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let output = process.wait_with_output().await.expect("it ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    if output.status.success() {
        Ok(text(output.stdout))
    } else {
        Err(text(output.stderr))
    }
}

fn printed_password(printed: &str) -> &str {
    let line = printed.lines().find_map(|line| line.strip_prefix("password: "));
    line.expect("it prints the password")
}

#[tokio::test]
async fn operator_manages_people_beside_a_running_instance() {
    let home = Home::new();
    let instance = home.start(&[], &[]).await;
    assert!(
        home.log().contains("vintedbot user create --email"),
        "{}",
        home.log()
    );

    let anna = user(&home, &["create", "--email", "Anna@Example.com"], "")
        .await
        .expect("is created");
    let first = printed_password(&anna);
    assert_eq!(first.len(), 20);
    let signed_in = sign_in(&instance, "anna@example.com", first)
        .await
        .expect("she exists");
    let person = signed_in.user.as_ref().expect("a person");
    assert_eq!(
        (person.display_name.as_str(), person.role()),
        ("Anna", Role::Owner)
    );
    let me = get_me(&instance, &signed_in).await.expect("the session lasts");
    assert_eq!(me.user.expect("a person").id, person.id);

    let ben = [
        "create",
        "--email",
        "ben@example.com",
        "--name",
        "Ben B.",
        "--password-stdin",
    ];
    let printed = user(&home, &ben, &format!("{PASSWORD}\n"))
        .await
        .expect("is created");
    assert!(!printed.contains("password"), "{printed}");
    let signed_in_ben = sign_in(&instance, "ben@example.com", PASSWORD)
        .await
        .expect("he exists");
    assert_eq!(signed_in_ben.user.expect("a person").role(), Role::Member);
    user(&home, &ben, PASSWORD)
        .await
        .expect_err("the address is taken");
    let weak = ["create", "--email", "eve@example.com", "--password-stdin"];
    let refusal = user(&home, &weak, "password1")
        .await
        .expect_err("is easy to guess");
    assert!(
        refusal.contains("password") && !refusal.contains("password1"),
        "{refusal}"
    );

    let reset = ["reset-password", "--email", "anna@example.com"];
    let printed = user(&home, &reset, "").await.expect("is reset");
    let second = printed_password(&printed);
    assert_refused(get_me(&instance, &signed_in).await);
    assert_refused(sign_in(&instance, "anna@example.com", first).await);
    let signed_in = sign_in(&instance, "anna@example.com", second)
        .await
        .expect("the new one works");

    user(&home, &["disable", "--email", "anna@example.com"], "")
        .await
        .expect("is disabled");
    assert_refused(get_me(&instance, &signed_in).await);
    assert_refused(sign_in(&instance, "anna@example.com", second).await);
    let list = user(&home, &["list"], "").await.expect("is printed");
    let rows: Vec<Vec<_>> = list
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(rows.len(), 3, "{list}");
    assert_eq!(rows[1][..3], ["anna@example.com", "Anna", "owner"]);
    assert_eq!(rows[1][4..], ["disabled", "off"]);
    assert_eq!(rows[2][..4], ["ben@example.com", "Ben", "B.", "member"]);
    user(&home, &["enable", "--email", "anna@example.com"], "")
        .await
        .expect("is enabled");
    sign_in(&instance, "anna@example.com", second)
        .await
        .expect("she may again");
    user(&home, &["disable", "--email", "nobody@example.com"], "")
        .await
        .expect_err("there is no such person");

    assert!(instance.stop().await.success());
    let log = home.log();
    assert!(
        ![first, second, PASSWORD]
            .iter()
            .any(|secret| log.contains(secret)),
        "{log}"
    );
    // The hint is printed only while nobody can sign in.
    home.start(&[], &[]).await.stop().await;
    assert_eq!(
        home.log().matches("vintedbot user create").count(),
        1,
        "{}",
        home.log()
    );
}

#[tokio::test]
async fn user_command_without_an_instance_creates_none() {
    let home = Home::new();
    let refusal = user(&home, &["create", "--email", "anna@example.com"], "").await;
    let refusal = refusal.expect_err("there is no instance");
    assert!(refusal.contains("DATA_DIR"), "{refusal}");
    assert!(!home.data().exists());
}

#[tokio::test]
async fn demo_person_keeps_the_stored_password() {
    let home = Home::new();
    let file = home.data().join("demo-password");
    let mut passwords = Vec::new();
    for _ in 0..2 {
        let instance = home.start(&["--seed"], &[]).await;
        let password = fs::read_to_string(&file).expect("a password");
        let signed_in = sign_in(&instance, "demo@example.com", &password)
            .await
            .expect("a person");
        assert_eq!(signed_in.user.expect("a person").role(), Role::Owner);
        passwords.push(password);
        assert!(instance.stop().await.success());
    }
    assert_eq!(passwords[0], passwords[1]);
    let mode = fs::metadata(&file).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let log = home.log();
    let line = format!(
        "sign in: demo@example.com with the password in {}",
        file.display()
    );
    assert_eq!(log.matches(&line).count(), 2, "{log}");
    assert!(!log.contains(&passwords[0]), "{log}");
}

#[tokio::test]
async fn mail_without_a_server_is_printed_but_never_logged() {
    let home = Home::new();
    let instance = home.start(&[], &[("LOG", "trace")]).await;
    let register = RegisterRequest {
        email: "anna@example.com".into(),
        password: PASSWORD.into(),
        display_name: "Anna".into(),
        ..Default::default()
    };
    let mut auth = auth(&instance).await;
    auth.register(register).await.expect("the first person may");
    assert_refused(sign_in(&instance, "anna@example.com", PASSWORD).await);
    let printed = || fs::read_to_string(home.path().join("stdout.log")).expect("the output");
    let comes = async {
        while !printed().contains("----- end of mail -----") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, comes).await.expect("a mail comes");
    let printed = printed();
    let (_, mail) = printed
        .split_once("----- mail to anna@example.com: ")
        .expect("a mail");
    let token = mailed_token(mail).expect("a token");
    let verify = VerifyEmailRequest { token: token.clone() };
    auth.verify_email(verify).await.expect("the token works");
    sign_in(&instance, "anna@example.com", PASSWORD)
        .await
        .expect("is verified");

    assert!(instance.stop().await.success());
    let log = fs::read_to_string(home.path().join("stderr.log")).expect("the log");
    assert!(
        ![token.as_str(), PASSWORD]
            .iter()
            .any(|secret| log.contains(secret)),
        "{log}"
    );
}
