//! Mail to people. The binary implements [`Mailer`].

use std::fmt::Debug;

/// A plain-text mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    pub to: String,
    pub subject: String,
    /// May contain a secret link, so it must not be logged.
    pub text: String,
}

/// Sends mail.
#[async_trait::async_trait]
pub trait Mailer: Send + Sync + Debug + 'static {
    /// Returns whether mails reach the mailbox to which they are addressed, and not only the operator.
    fn delivers(&self) -> bool {
        false
    }

    /// Sends a mail, with retries.
    ///
    /// # Errors
    /// The reason why the mail could not be sent. It contains nothing of the mail's text.
    async fn send(&self, mail: Mail) -> Result<(), String>;
}
