//! The state that the calls of a process share for sign-in: the password hasher, verified access tokens, the mailer.

use std::sync::Arc;

use super::access_token::AccessTokens;
use super::password::Hasher;
use super::{Mail, Mailer};

/// The parts of sign-in that live as long as the process.
#[derive(Debug)]
pub struct People {
    pub(super) hasher: Hasher,
    pub(super) access_tokens: AccessTokens,
    mailer: Arc<dyn Mailer>,
    /// The base of links in mails, without a trailing slash.
    link_base: String,
}

impl People {
    /// `instance_id` is the issuer of access tokens, so that a restored or copied database refuses those of the
    /// original. `link_base` is the public URL of the server.
    pub fn new(instance_id: &str, link_base: impl Into<String>, mailer: Arc<dyn Mailer>) -> Self {
        Self {
            hasher: Hasher::default(),
            access_tokens: AccessTokens::new(instance_id),
            mailer,
            link_base: link_base.into().trim_end_matches('/').to_owned(),
        }
    }

    /// Returns whether mails reach the mailbox to which they are addressed.
    pub(super) fn delivers_mail(&self) -> bool {
        self.mailer.delivers()
    }

    /// Returns a link of the console.
    pub(super) fn link(&self, path: &str, token: &str) -> String {
        // Browsers do not send the fragment, so no proxy can log the token.
        format!("{}/{path}#{token}", self.link_base)
    }

    /// Sends a mail in the background, so that the duration of a call does not tell whether it mailed.
    pub(super) fn post(&self, mail: Mail) {
        let mailer = Arc::clone(&self.mailer);
        tokio::spawn(async move {
            if let Err(error) = mailer.send(mail).await {
                tracing::error!(error, "a mail could not be sent");
            }
        });
    }
}
