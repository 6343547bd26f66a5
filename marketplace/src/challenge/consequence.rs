//! What follows from each kind of challenge, in one table. The safety notes print it, and a test holds them to it.

use std::time::Duration;

use super::{Kind, Verdict};

/// What becomes of the job that met it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobFollows {
    /// It stops where it is, until a person retries or cancels it.
    Stops,
    /// It waits, and goes on by itself.
    Waits,
}

/// What becomes of the account, and so of all its other jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountFollows {
    /// Nothing more is asked of the site until a person resumes it.
    Paused,
    /// Paused, and its session is not used again: a new one has to be imported.
    LoggedOut,
    /// Nothing more is asked of the site for as long as it says, or for that long.
    Quiet(Duration),
    /// The page is at fault, not the account.
    GoesOn,
}

/// What follows from a challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Consequence {
    pub job: JobFollows,
    pub account: AccountFollows,
    /// What happened, in plain words.
    pub happened: &'static str,
    /// What the person is asked to do.
    pub ask: &'static str,
}

/// How long to leave a site alone that asked for it without saying how long.
const QUIET: Duration = Duration::from_secs(15 * 60);
/// The longest that a site is left alone because it says so; a day's silence is for a person to think about.
const QUIET_MAX: Duration = Duration::from_secs(24 * 60 * 60);

impl Verdict {
    /// How long the site is to be left alone, where that is what follows: as it says, within reason, or else as usual.
    pub fn quiet_for(&self) -> Option<Duration> {
        match self.kind.consequence().account {
            AccountFollows::Quiet(usual) => {
                let said = self.retry_after_seconds.map(Duration::from_secs);
                Some(said.unwrap_or(usual).min(QUIET_MAX))
            }
            _ => None,
        }
    }
}

impl Kind {
    /// What follows from it.
    pub fn consequence(self) -> Consequence {
        use AccountFollows::{GoesOn, LoggedOut, Paused, Quiet};
        use JobFollows::{Stops, Waits};
        let (job, account, happened, ask) = match self {
            Self::CaptchaInPage => (
                Stops,
                Paused,
                "The site asks for proof that a person is there (a captcha).",
                "Open the site in your own browser with this account, solve it there, then resume the account.",
            ),
            Self::CaptchaOnCall => (
                Stops,
                Paused,
                "The site answered a request with a captcha.",
                "Open the site in your own browser with this account, solve it there, then resume the account.",
            ),
            Self::Cloudflare => (
                Stops,
                Paused,
                "The check in front of the site (Cloudflare) held the page back.",
                "Open the site in your own browser and see whether it lets you in, wait a while, then resume the account.",
            ),
            Self::SecondFactor => (
                Stops,
                Paused,
                "The site asks for a second factor, such as a code by text message or e-mail.",
                "Log in to the site in your own browser, enter the code there, import the session again, then resume the \
                 account.",
            ),
            Self::AccountVerification => (
                Stops,
                Paused,
                "The site wants this account to be verified (phone, e-mail or identity).",
                "Follow the site's own steps in your browser or its app, then resume the account.",
            ),
            Self::LoginLost => (
                Stops,
                LoggedOut,
                "The site no longer takes this session: the account is logged out.",
                "Log in to the site in your own browser, import the session again, then resume the account.",
            ),
            Self::SessionRefreshLoop => (
                Stops,
                LoggedOut,
                "The site cannot renew this session and keeps trying.",
                "Log in to the site in your own browser, import the session again, then resume the account.",
            ),
            Self::RateLimited => (
                Waits,
                Quiet(QUIET),
                "The site says that there were too many requests.",
                "Wait; nothing more is sent until then. If it comes back, use longer pauses.",
            ),
            Self::Restricted => (
                Stops,
                Paused,
                "The site has restricted what this account may do.",
                "Read the site's message in your own browser or its app, and resume the account only when it is lifted.",
            ),
            Self::BrokenPage => (
                Stops,
                GoesOn,
                "The site says that something went wrong with this page; an item that is gone looks like that too.",
                "Look at the page in your own browser, then try again or say what became of the item.",
            ),
            Self::UnknownBlock => (
                Stops,
                Paused,
                "The site refused without saying why.",
                "Look at the screenshot and at the site in your own browser, then resume the account when it works there.",
            ),
        };
        Consequence {
            job,
            account,
            happened,
            ask,
        }
    }

    /// Whether only a person can get further; time heals the others.
    pub fn needs_manual(self) -> bool {
        self.consequence().job == JobFollows::Stops
    }

    /// The table as Markdown, a row a kind.
    pub fn table() -> String {
        let rows = Self::ALL.map(|kind| {
            let Consequence {
                job,
                account,
                happened,
                ask,
            } = kind.consequence();
            let job = match job {
                JobFollows::Stops => "stops",
                JobFollows::Waits => "waits, then goes on",
            };
            let account = match account {
                AccountFollows::Paused => "paused until you resume it".to_owned(),
                AccountFollows::LoggedOut => "paused; its session is not used again".to_owned(),
                AccountFollows::Quiet(time) => format!(
                    "left alone for as long as the site says, else {} minutes",
                    time.as_secs() / 60
                ),
                AccountFollows::GoesOn => "goes on".to_owned(),
            };
            format!("| `{}` | {happened} | {job} | {account} | {ask} |", kind.name())
        });
        format!(
            "| kind | what happened | the job | the account | what you are asked |\n| --- | --- | --- | --- | --- |\n{}\n",
            rows.join("\n")
        )
    }
}
