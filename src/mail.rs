//! Mail to people: over SMTP, or printed for the operator.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use async_trait::async_trait;
use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use tokio::time::{sleep, timeout};
use url::Url;
use vintedbot_domain::identity::{Mail, Mailer};
use vintedbot_domain::ids::{Ids as _, SystemIds};

use crate::config::Config;

/// The timeout of an attempt to send a mail.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);
/// The pauses between the attempts.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(5)];

/// Returns the mailer of the settings.
///
/// # Errors
/// The settings of the mail server are malformed. The text contains no password.
pub fn mailer(config: &Config) -> Result<Arc<dyn Mailer>> {
    if config.smtp.url.is_empty() {
        return Ok(Arc::new(Printed));
    }
    Ok(Arc::new(Smtp::new(&config.smtp.url, &config.smtp.from)?))
}

/// Sends mail over SMTP.
#[derive(Debug)]
struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Smtp {
    fn new(url: &str, from: &str) -> Result<Self> {
        let form = "smtp.url must look like smtps://user:password@host or \
                    smtp://user:password@host?tls=required; without TLS, smtp://localhost:25";
        let parsed: Url = url.parse().context(form)?;
        let is_encrypted = parsed.scheme() == "smtps" || parsed.query() == Some("tls=required");
        let is_local = matches!(parsed.host_str(), Some("localhost" | "127.0.0.1"));
        let has_host = parsed.host_str().is_some_and(|host| !host.is_empty());
        // The library ignores a user without a password.
        let has_half_a_login = parsed.username().is_empty() != parsed.password().is_none();
        if !(is_encrypted || is_local) || !has_host || has_half_a_login {
            bail!(form);
        }
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url).context(form)?;
        let from = from.parse::<Mailbox>().with_context(|| {
            format!("smtp.from = {from:?} is not a sender such as vintedbot <bot@example.com>")
        })?;
        Ok(Self {
            transport: transport.build(),
            from,
        })
    }

    fn message(&self, mail: Mail) -> Result<Message> {
        let to: Address = mail.to.parse().context("the recipient")?;
        // All attempts have the same id, so that a receiver can recognise a mail that arrives twice.
        let id = format!("<{}@{}>", SystemIds.id(), self.from.email.domain());
        let message = Message::builder()
            .from(self.from.clone())
            .to(to.into())
            .subject(mail.subject)
            .message_id(Some(id))
            .header(ContentType::TEXT_PLAIN)
            .body(mail.text)?;
        Ok(message)
    }
}

#[async_trait]
impl Mailer for Smtp {
    fn delivers(&self) -> bool {
        true
    }

    async fn send(&self, mail: Mail) -> Result<(), String> {
        let message = self.message(mail).map_err(|error| format!("{error:#}"))?;
        let mut pauses = PAUSES.into_iter();
        loop {
            let error = match timeout(ATTEMPT_TIMEOUT, self.transport.send(message.clone())).await {
                Ok(Ok(_)) => return Ok(()),
                // The server would refuse it again, or it cannot do what the settings require.
                Ok(Err(error)) if error.is_permanent() || error.is_client() => return Err(error.to_string()),
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("the mail server took longer than {} s", ATTEMPT_TIMEOUT.as_secs()),
            };
            let Some(pause) = pauses.next() else {
                return Err(error);
            };
            sleep(pause).await;
        }
    }
}

/// Prints mail for the operator, for an instance without a mail server.
#[derive(Debug)]
struct Printed;

#[async_trait]
impl Mailer for Printed {
    async fn send(&self, mail: Mail) -> Result<(), String> {
        // A log may be stored where others can read it, and the text contains a secret.
        println!(
            "----- mail to {}: {} -----\n{}\n----- end of mail -----",
            mail.to,
            mail.subject,
            mail.text.trim_end()
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    use tokio::net::TcpListener;

    use super::*;

    const FROM: &str = "vintedbot <bot@example.com>";

    fn mail(to: &str, subject: &str) -> Mail {
        Mail {
            to: to.to_owned(),
            subject: subject.to_owned(),
            text: "Hello".to_owned(),
        }
    }

    #[test]
    fn unencrypted_mail_server_elsewhere_is_refused() {
        for (url, is_good) in [
            ("smtps://bot:geheim@mail.example", true),
            ("smtps://mail.example:4465", true),
            ("smtp://bot:geheim@mail.example?tls=required", true),
            ("smtp://bot:geheim@mail.example:2587?tls=required", true),
            ("smtp://localhost:25", true),
            ("smtp://127.0.0.1:1025", true),
            ("smtp://bot:geheim@mail.example:587", false),
            ("smtp://mail.example?tls=opportunistic", false),
            ("smtp://localhost.example", false),
            ("smtps://geheim@mail.example", false),
            ("https://bot:geheim@mail.example?tls=required", false),
            ("smtps://", false),
            ("mail.example:587", false),
        ] {
            let made = Smtp::new(url, FROM);
            assert_eq!(made.is_ok(), is_good, "{url}");
            let printed = format!("{made:?}");
            assert!(!printed.contains("geheim"), "{printed}");
        }
        let error = Smtp::new("smtp://localhost", "").expect_err("there is no sender");
        assert!(error.to_string().contains("smtp.from"), "{error}");
    }

    #[test]
    fn subject_cannot_add_a_header_or_recipient() {
        let smtp = Smtp::new("smtp://localhost", FROM).expect("an address");
        let subject = "Reset\r\nBcc: eve@example.com\r\n\r\nbody";
        let message = smtp.message(mail("anna@example.com", subject)).expect("a mail");
        let text = String::from_utf8(message.formatted()).expect("text");
        assert!(!text.lines().any(|line| line.starts_with("Bcc:")), "{text}");
        assert_eq!(message.envelope().to().len(), 1);
        for to in [
            "a@example.com, eve@example.com",
            "a@example.com\r\nBcc: eve@example.com",
            "anna",
        ] {
            assert!(smtp.message(mail(to, "Reset")).is_err(), "{to}");
        }
    }

    #[tokio::test]
    async fn server_without_starttls_receives_neither_login_nor_mail() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a client");
            let (reader, mut writer) = stream.split();
            writer.write_all(b"220 mail.example\r\n").await.expect("is sent");
            let mut lines = BufReader::new(reader).lines();
            let mut commands = Vec::new();
            while let Ok(Some(line)) = lines.next_line().await {
                commands.push(line.split(' ').next().unwrap_or_default().to_owned());
                // A client that has gone away reads no more replies.
                let _ = writer.write_all(b"250 AUTH PLAIN\r\n").await;
            }
            commands
        });
        let url = format!("smtp://bot:geheim@127.0.0.1:{port}?tls=required");
        let smtp = Smtp::new(&url, FROM).expect("an address");
        let error = smtp
            .send(mail("anna@example.com", "Reset"))
            .await
            .expect_err("not encrypted");
        assert!(error.contains("STARTTLS"), "{error}");
        assert_eq!(server.await.expect("it ends"), ["EHLO"]);
    }
}
