//! Mail of the built program, received by an independent SMTP server and parsed by Python's mail library.

use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use vintedbot_sdk::v1::{RegisterRequest, RequestPasswordResetRequest, SignInRequest, VerifyEmailRequest};

use crate::people::{PASSWORD, auth, mailed_token};
use crate::rig::{Home, PATIENCE, root};

/// Requires a login, refuses the first mail for now, and prints the others as JSON.
const SERVER: &str = r#"
import asyncio, email, email.policy, json
from aiosmtpd.smtp import SMTP, AuthResult

class Inbox:
    is_busy = True

    async def handle_DATA(self, server, session, envelope):
        if self.is_busy:
            self.is_busy = False
            return "451 try again"
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        print(json.dumps({
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "headers": {name.lower(): str(value) for name, value in mail.items()},
            "text": mail.get_content(),
        }), flush=True)
        return "250 OK"

def login(server, session, envelope, mechanism, data):
    is_right = (data.login, data.password) == (b"bot", b"ein geheimnis")
    return AuthResult(success=is_right, handled=False)

async def main():
    loop = asyncio.get_running_loop()
    inbox = Inbox()
    smtp = lambda: SMTP(inbox, loop=loop, authenticator=login, auth_required=True, auth_require_tls=False)
    server = await loop.create_server(smtp, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"#;

/// A running SMTP server. Dropping it ends the process.
struct MailServer {
    _process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    port: u16,
}

impl MailServer {
    async fn start() -> Self {
        let mut process = Command::new(root().join("target/venv/bin/python"))
            .args(["-c", SERVER])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("`make test` makes target/venv");
        let output = process.stdout.take().expect("it is piped");
        let mut lines = BufReader::new(output).lines();
        let port = lines.next_line().await.expect("text").expect("it listens");
        Self {
            _process: process,
            lines,
            port: port.parse().expect("a port"),
        }
    }

    /// Waits for the next mail.
    async fn mail(&mut self) -> Value {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await;
        let line = line.expect("a mail comes").expect("text").expect("it runs");
        serde_json::from_str(&line).expect("JSON")
    }
}

#[tokio::test]
async fn mail_is_retried_and_its_token_verifies_the_address() {
    let mut server = MailServer::start().await;
    let url = format!("smtp://bot:ein%20geheimnis@127.0.0.1:{}", server.port);
    let home = Home::new();
    let settings = [
        ("SMTP_URL", url.as_str()),
        ("SMTP_FROM", "Vintedbot für Zoë <bot@example.com>"),
        ("PUBLIC_URL", "http://vintedbot.example"),
    ];
    let instance = home.start(&[], &settings).await;
    let register = RegisterRequest {
        email: "zoe@example.com".into(),
        password: PASSWORD.into(),
        display_name: "Zoë Müller 🧥".into(),
        ..Default::default()
    };
    let mut auth = auth(&instance).await;
    let registered = auth.register(register).await.expect("the first person may");
    assert!(registered.into_inner().verification_required);

    let mail = server.mail().await;
    assert_eq!(mail["from"], "bot@example.com");
    assert_eq!(mail["to"], serde_json::json!(["zoe@example.com"]));
    let header = |name: &str| mail["headers"][name].as_str().unwrap_or_default().to_owned();
    assert_eq!(header("to"), "zoe@example.com");
    assert_eq!(header("from"), "Vintedbot für Zoë <bot@example.com>");
    assert!(
        !header("subject").is_empty() && !header("date").is_empty(),
        "{mail}"
    );
    assert!(header("message-id").ends_with("@example.com>"), "{mail}");
    let text = mail["text"].as_str().expect("text");
    assert!(!text.contains("Zoë"), "a stranger's words are not mailed: {text}");
    assert!(text.contains("http://vintedbot.example/"), "{text}");
    let token = mailed_token(text).expect("a token");
    let verified = auth.verify_email(VerifyEmailRequest { token }).await;
    assert_eq!(
        verified.expect("the token works").into_inner().email,
        "zoe@example.com"
    );
    let sign_in = SignInRequest {
        email: "zoe@example.com".into(),
        password: PASSWORD.into(),
        ..Default::default()
    };
    let signed_in = auth
        .sign_in(sign_in)
        .await
        .expect("the address is verified")
        .into_inner();
    assert_eq!(signed_in.user.expect("a person").display_name, "Zoë Müller 🧥");

    let email = "zoe@example.com".to_owned();
    let reset = auth
        .request_password_reset(RequestPasswordResetRequest { email })
        .await;
    reset.expect("mails");
    let mail = server.mail().await;
    let text = mail["text"].as_str().expect("text");
    assert!(text.contains("Zoë Müller 🧥"), "{text}");

    assert!(instance.stop().await.success());
    let log = home.log();
    assert!(!log.contains("geheimnis") && !log.contains("vbm_"), "{log}");
}
