//! The consequences of each kind of challenge, in one table. A test compares the copy in the safety notes with it.

use std::time::Duration;

use super::{Kind, Verdict};

/// What happens to the job that met the challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobAction {
    /// The job stops until a person retries or cancels it.
    Stop,
    /// The job waits and then continues automatically.
    Wait,
}

/// What happens to the account, and therefore to all its other jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountAction {
    /// The server sends no requests until a person resumes the account.
    Pause,
    /// Like `Pause`, and the session is not used again: a new one must be imported.
    LogOut,
    /// The server sends no requests for as long as the site asks, or else for this duration.
    Cooldown(Duration),
    /// The account continues, because only the page is at fault.
    Continue,
}

/// The consequences of a challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChallengePolicy {
    pub job: JobAction,
    pub account: AccountAction,
    /// What happened.
    pub happened: &'static str,
    /// What the person is asked to do.
    pub ask: &'static str,
}

/// The cooldown if the site asks for one without giving a duration.
const COOLDOWN: Duration = Duration::from_secs(15 * 60);
/// The longest cooldown that the site can set. A person must decide on more than a day.
const COOLDOWN_MAX: Duration = Duration::from_secs(24 * 60 * 60);

impl Verdict {
    /// Returns the cooldown if the challenge causes one: as long as the site asks, up to 24 hours, or else the default.
    pub fn cooldown(&self) -> Option<Duration> {
        match self.kind.policy().account {
            AccountAction::Cooldown(usual) => {
                let requested = self.retry_after_seconds.map(Duration::from_secs);
                Some(requested.unwrap_or(usual).min(COOLDOWN_MAX))
            }
            _ => None,
        }
    }
}

impl Kind {
    /// Returns the consequences of this kind of challenge.
    pub fn policy(self) -> ChallengePolicy {
        use AccountAction::{Continue, Cooldown, LogOut, Pause};
        use JobAction::{Stop, Wait};
        let (job, account, happened, ask) = match self {
            Self::CaptchaInPage => (
                Stop,
                Pause,
                "The site asks for proof that a person is present (a captcha).",
                "Open the site in your own browser with this account, solve the captcha there, then resume the account.",
            ),
            Self::CaptchaOnCall => (
                Stop,
                Pause,
                "The site answered a request with a captcha.",
                "Open the site in your own browser with this account, solve the captcha there, then resume the account.",
            ),
            Self::Cloudflare => (
                Stop,
                Pause,
                "The check in front of the site (Cloudflare) blocked the page.",
                "Open the site in your own browser and check that it loads. Wait a while, then resume the account.",
            ),
            Self::SecondFactor => (
                Stop,
                Pause,
                "The site asks for a second factor, such as a code by text message or e-mail.",
                "Log in to the site in your own browser and enter the code there. Import the session again, then resume \
                 the account.",
            ),
            Self::AccountVerification => (
                Stop,
                Pause,
                "The site requires a verification of this account (phone, e-mail or identity).",
                "Complete the verification in your own browser or the site's app, then resume the account.",
            ),
            Self::LoginLost => (
                Stop,
                LogOut,
                "The site no longer accepts this session: the account is logged out.",
                "Log in to the site in your own browser, import the session again, then resume the account.",
            ),
            Self::SessionRefreshLoop => (
                Stop,
                LogOut,
                "The site cannot renew this session and keeps trying.",
                "Log in to the site in your own browser, import the session again, then resume the account.",
            ),
            Self::RateLimited => (
                Wait,
                Cooldown(COOLDOWN),
                "The site reports too many requests.",
                "Wait: no requests are sent until the cooldown ends. If this happens again, use longer pauses.",
            ),
            Self::Restricted => (
                Stop,
                Pause,
                "The site has restricted what this account may do.",
                "Read the site's message in your own browser or its app, and resume the account only when the \
                 restriction is lifted.",
            ),
            Self::BrokenPage => (
                Stop,
                Continue,
                "The site reports an error on this page. The page of an item that is gone looks the same.",
                "Look at the page in your own browser, then retry the job or resolve its outcome.",
            ),
            Self::UnknownBlock => (
                Stop,
                Pause,
                "The site refused the request without giving a reason.",
                "Look at the screenshot and at the site in your own browser, then resume the account when the site works \
                 there.",
            ),
        };
        ChallengePolicy {
            job,
            account,
            happened,
            ask,
        }
    }

    /// Whether only a person can resolve the challenge. The others pass with time.
    pub fn requires_action(self) -> bool {
        self.policy().job == JobAction::Stop
    }

    /// Returns the table as Markdown, with one row per kind.
    pub fn table() -> String {
        let rows = Self::ALL.map(|kind| {
            let ChallengePolicy {
                job,
                account,
                happened,
                ask,
            } = kind.policy();
            let job = match job {
                JobAction::Stop => "stops",
                JobAction::Wait => "waits, then continues",
            };
            let account = match account {
                AccountAction::Pause => "paused until you resume it".to_owned(),
                AccountAction::LogOut => "paused; the session is not used again".to_owned(),
                AccountAction::Cooldown(time) => format!(
                    "cooldown for as long as the site asks, else {} minutes",
                    time.as_secs() / 60
                ),
                AccountAction::Continue => "continues".to_owned(),
            };
            format!("| `{}` | {happened} | {job} | {account} | {ask} |", kind.name())
        });
        format!(
            "| kind | what happened | the job | the account | what you are asked to do |\n| --- | --- | --- | --- | --- |\n{}\n",
            rows.join("\n")
        )
    }
}
