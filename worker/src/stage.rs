//! The named moments of an attempt at publishing, each with something different left behind if the process dies there.
//!
//! A build with debug assertions halts at the stage that `CRASH_AT` names and writes that name into the file that
//! `CRASH_FILE` names, so that another process can kill it exactly there. A release build cannot halt.

use vintedbot_marketplace::FillStep;

/// A moment of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// The work row is claimed; nothing else has happened.
    Claimed,
    /// It is decided what the attempt is for, and the account is locked.
    Begun,
    /// The attempt is written down; its browser is not started yet.
    ComposerRecorded,
    /// The browser runs, and is written down.
    ComposerStarted,
    /// A step through the form was done.
    Fill(FillStep),
    /// The intent to save a draft is committed; the click is not made.
    DraftIntended,
    /// The draft is on the site, and not written down here.
    DraftClicked,
    /// The draft is written down.
    DraftRecorded,
    /// The form was looked at, and the browser has quit; the result is not written down.
    PreparedUnrecorded,
    /// The wardrobe was read completely, right before the intent to publish.
    WardrobeRead,
    /// The intent to publish is committed; the click is not made.
    PublishIntended,
    /// The click was made, and what came of it is not written down.
    PublishClicked,
    /// What came of it is written down; the claim is still held.
    PublishRecorded,
    /// A reconciling attempt has ended what its predecessor left.
    LeftoversEnded,
    /// The site was read for what became of an effect; nothing is decided.
    SiteRead,
    /// It is decided and written down; the claim is still held.
    Reconciled,
    /// A conversation was read for a reply.
    ConversationRead,
    /// The intent to send a reply is committed; the request is not made.
    ReplyIntended,
    /// The request was made, and what came of it is not written down.
    ReplySent,
    /// What came of it is written down; the claim is still held.
    ReplyRecorded,
    /// Deliveries are written for what the log had new; none is claimed.
    WebhooksWritten,
    /// A delivery is claimed; nothing is sent.
    WebhookClaimed,
    /// The receiver answered, and that is not written down.
    WebhookSent,
    /// It is written down.
    WebhookRecorded,
}

impl Stage {
    /// Every stage of an attempt at a reply.
    pub const OF_REPLIES: [Self; 6] = [
        Self::Claimed,
        Self::ConversationRead,
        Self::ReplyIntended,
        Self::ReplySent,
        Self::ReplyRecorded,
        Self::Reconciled,
    ];

    /// Every stage of a webhook's way.
    pub const OF_WEBHOOKS: [Self; 4] = [
        Self::WebhooksWritten,
        Self::WebhookClaimed,
        Self::WebhookSent,
        Self::WebhookRecorded,
    ];

    /// Every stage of an attempt at publishing.
    pub fn all() -> impl Iterator<Item = Self> {
        let before = [
            Self::Claimed,
            Self::Begun,
            Self::ComposerRecorded,
            Self::ComposerStarted,
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

    /// The name in the step log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Claimed => "CLAIMED",
            Self::Begun => "BEGUN",
            Self::ComposerRecorded => "COMPOSER_RECORDED",
            Self::ComposerStarted => "COMPOSER_STARTED",
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

    /// Halts here for good if `CRASH_AT` names this stage. With `CRASH_STOPS`, stops the whole process once instead, until
    /// SIGCONT.
    #[cfg(debug_assertions)]
    pub async fn reached(self) {
        if !std::env::var("CRASH_AT").is_ok_and(|name| name == self.name()) {
            return;
        }
        let file = std::env::var("CRASH_FILE").unwrap_or_default();
        let stops = std::env::var("CRASH_STOPS").is_ok_and(|told| !told.is_empty());
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
    #[expect(clippy::unused_async, reason = "a build that can halt here waits")]
    pub async fn reached(self) {}
}
