//! The named stages of an attempt. Each leaves a different state behind if the process dies there.
//!
//! A build with debug assertions halts at the stage that `CRASH_AT` names. It writes the name into the file that
//! `CRASH_FILE` names, so that another process can kill it exactly there. A release build never halts.

use vintedbot_marketplace::FillStep;

/// A stage of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// The job's row is claimed; nothing else has happened.
    Claimed,
    /// The plan of the attempt is made, and the account is locked.
    Begun,
    /// The form session is recorded; its browser is not started.
    FormSessionRecorded,
    /// The browser runs and is recorded.
    FormSessionStarted,
    /// A step in the form is done.
    Fill(FillStep),
    /// The intent to save a draft is committed; the click is not made.
    DraftIntended,
    /// The draft is on the site, but not recorded here.
    DraftClicked,
    /// The draft is recorded.
    DraftRecorded,
    /// The form was read back, and the browser has quit; the result is not recorded.
    PreparedUnrecorded,
    /// The wardrobe was read completely, directly before the intent to publish.
    WardrobeRead,
    /// The intent to publish is committed; the click is not made.
    PublishIntended,
    /// The click was made; its outcome is not recorded.
    PublishClicked,
    /// The outcome is recorded; the claim is still held.
    PublishRecorded,
    /// A reconciling attempt has ended the form sessions of its predecessor.
    LeftoversEnded,
    /// The site was read for the outcome of an effect; nothing is decided.
    SiteRead,
    /// The decision is recorded; the claim is still held.
    Reconciled,
    /// A conversation was read for a reply.
    ConversationRead,
    /// The intent to send a reply is committed; the request is not made.
    ReplyIntended,
    /// The request was made; its outcome is not recorded.
    ReplySent,
    /// The outcome is recorded; the claim is still held.
    ReplyRecorded,
    /// Deliveries are written for the new events of the log; no delivery is claimed.
    WebhooksWritten,
    /// A delivery is claimed; nothing is sent.
    WebhookClaimed,
    /// The receiver responded; the outcome is not recorded.
    WebhookSent,
    /// The outcome is recorded.
    WebhookRecorded,
}

impl Stage {
    /// The stages of an attempt at a reply.
    pub const OF_REPLIES: [Self; 6] = [
        Self::Claimed,
        Self::ConversationRead,
        Self::ReplyIntended,
        Self::ReplySent,
        Self::ReplyRecorded,
        Self::Reconciled,
    ];

    /// The stages of a webhook delivery.
    pub const OF_WEBHOOKS: [Self; 4] = [
        Self::WebhooksWritten,
        Self::WebhookClaimed,
        Self::WebhookSent,
        Self::WebhookRecorded,
    ];

    /// Returns the stages of an attempt at publishing.
    pub fn all() -> impl Iterator<Item = Self> {
        let before = [
            Self::Claimed,
            Self::Begun,
            Self::FormSessionRecorded,
            Self::FormSessionStarted,
        ];
        let after = [
            Self::DraftIntended,
            Self::DraftClicked,
            Self::DraftRecorded,
            Self::PreparedUnrecorded,
            Self::WardrobeRead,
            Self::PublishIntended,
            Self::PublishClicked,
            Self::PublishRecorded,
            Self::LeftoversEnded,
            Self::SiteRead,
            Self::Reconciled,
        ];
        before
            .into_iter()
            .chain(FillStep::ALL.into_iter().map(Self::Fill))
            .chain(after)
    }

    /// Returns the name in the step log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Claimed => "CLAIMED",
            Self::Begun => "BEGUN",
            Self::FormSessionRecorded => "FORM_SESSION_RECORDED",
            Self::FormSessionStarted => "FORM_SESSION_STARTED",
            Self::Fill(step) => step.name(),
            Self::DraftIntended => "DRAFT_INTENDED",
            Self::DraftClicked => "DRAFT_CLICKED",
            Self::DraftRecorded => "DRAFT_RECORDED",
            Self::PreparedUnrecorded => "PREPARED_UNRECORDED",
            Self::WardrobeRead => "WARDROBE_READ",
            Self::PublishIntended => "PUBLISH_INTENDED",
            Self::PublishClicked => "PUBLISH_CLICKED",
            Self::PublishRecorded => "PUBLISH_RECORDED",
            Self::LeftoversEnded => "LEFTOVERS_ENDED",
            Self::SiteRead => "SITE_READ",
            Self::Reconciled => "RECONCILED",
            Self::ConversationRead => "CONVERSATION_READ",
            Self::ReplyIntended => "REPLY_INTENDED",
            Self::ReplySent => "REPLY_SENT",
            Self::ReplyRecorded => "REPLY_RECORDED",
            Self::WebhooksWritten => "WEBHOOKS_WRITTEN",
            Self::WebhookClaimed => "WEBHOOK_CLAIMED",
            Self::WebhookSent => "WEBHOOK_SENT",
            Self::WebhookRecorded => "WEBHOOK_RECORDED",
        }
    }

    /// Halts here forever if `CRASH_AT` names this stage. With `CRASH_STOPS`, it instead stops the whole process once,
    /// until SIGCONT.
    #[cfg(debug_assertions)]
    pub async fn reached(self) {
        if !std::env::var("CRASH_AT").is_ok_and(|name| name == self.name()) {
            return;
        }
        let file = std::env::var("CRASH_FILE").unwrap_or_default();
        let stops = std::env::var("CRASH_STOPS").is_ok_and(|value| !value.is_empty());
        if stops && std::path::Path::new(&file).exists() {
            return;
        }
        if !file.is_empty() {
            std::fs::write(file, self.name()).expect("the file that CRASH_FILE names can be written");
        }
        if stops {
            let pid = std::process::id().to_string();
            let stopped = std::process::Command::new("kill").args(["-STOP", &pid]).status();
            stopped.expect("a process can be stopped");
        } else {
            std::future::pending::<()>().await;
        }
    }

    /// Does nothing.
    #[cfg(not(debug_assertions))]
    #[expect(
        clippy::unused_async,
        reason = "the same function awaits in a build with debug assertions"
    )]
    pub async fn reached(self) {}
}
