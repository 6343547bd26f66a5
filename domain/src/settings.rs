//! The settings that domain rules read. `config.default.toml` describes them and sets their defaults.

use serde::Deserialize;

use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::accounts::Mode;
use crate::clock::Millis;
use crate::jobs::Backoff;
use crate::{Error, Result};

/// The shortest retention and session that can be set.
const HOUR: Millis = 3_600_000;

/// The settings that domain rules read. Field names follow the file; a duration is text there (`"30s"`) and
/// milliseconds here.
#[derive(Clone, Debug, Deserialize)]
pub struct Settings {
    /// The mode of a new account.
    pub session_mode: Mode,
    /// The IANA time zone of daily schedules, such as `Europe/Paris`.
    pub timezone: String,
    /// Lifetime of a confirm token.
    #[serde(rename = "confirm_token_ttl", with = "duration")]
    pub confirm_token_ms: Millis,
    /// Lifetime of a signed URL of a photo, a screenshot or a preview.
    #[serde(rename = "signed_url_ttl", with = "duration")]
    pub signed_url_ms: Millis,
    pub people: People,
    pub publish: Publish,
    pub replies: Replies,
    pub sync: Sync,
    pub limits: RateLimits,
    pub effects: Effects,
    pub jobs: Jobs,
    pub retention: Retention,
    /// Whether attempts have a visible browser window. Not a setting: it is derived from the browser that was found.
    #[serde(skip)]
    pub browser_window: bool,
}

/// `[people]`
#[derive(Clone, Debug, Deserialize)]
pub struct People {
    /// Who may register.
    pub registration: Registration,
    /// How long a session lasts after its last refresh.
    #[serde(rename = "session_ttl", with = "duration")]
    pub session_ms: Millis,
    /// Failed attempts in 15 minutes after which further attempts for one person from one IP address are refused.
    pub failures_per_account: i64,
    /// Failed attempts in 15 minutes after which further attempts from one IP address, or for one person from all
    /// addresses, are refused.
    pub failures_per_address: i64,
}

/// Who may register. On an instance without people and accounts, the first person always may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Registration {
    Off,
    Invitation,
    Open,
}

/// `[publish]`
#[derive(Clone, Debug, Deserialize)]
pub struct Publish {
    /// Publications a minute, all accounts together.
    pub per_minute: i64,
    /// Publications a minute of one account.
    pub per_minute_account: i64,
    /// Changes of published items a minute of one account.
    pub changes_per_minute_account: i64,
    /// How late a scheduled publication may start without a new confirmation.
    #[serde(rename = "schedule_late", with = "duration")]
    pub schedule_late_ms: Millis,
}

/// `[replies]`
#[derive(Clone, Debug, Deserialize)]
pub struct Replies {
    /// How long a reply that needs no confirmation can be cancelled before it is sent.
    #[serde(rename = "undo", with = "duration")]
    pub undo_ms: Millis,
    /// Replies a minute of one account.
    pub per_minute_account: i64,
}

/// `[sync]`
#[derive(Clone, Debug, Deserialize)]
pub struct Sync {
    /// Calls of `SyncNow` a minute for one account.
    pub now_per_minute: i64,
}

/// The rate limits of `[limits]`.
#[derive(Clone, Debug, Deserialize)]
pub struct RateLimits {
    /// Session imports an hour of one workspace.
    pub imports_per_hour: i64,
    /// New photos a minute of one workspace.
    pub uploads_per_minute: i64,
}

/// `[effects]`
#[derive(Clone, Debug, Deserialize)]
pub struct Effects {
    /// How long a committed intent permits its click.
    #[serde(rename = "click_window", with = "duration")]
    pub click_window_ms: Millis,
    /// The maximum duration of a request to the site.
    #[serde(rename = "request_timeout", with = "duration")]
    pub request_timeout_ms: Millis,
    /// The settling window: how long the site is read for an effect in doubt before its absence counts.
    #[serde(rename = "settle", with = "duration")]
    pub settle_ms: Millis,
    /// The interval between two readings while settling.
    #[serde(rename = "settle_poll", with = "duration")]
    pub settle_poll_ms: Millis,
    /// How long the site is checked for an effect that settled as not done.
    #[serde(rename = "watch", with = "duration")]
    pub watch_ms: Millis,
}

/// `[jobs]`
#[derive(Clone, Debug, Deserialize)]
pub struct Jobs {
    /// How long a claim lasts without renewal.
    #[serde(rename = "lease", with = "duration")]
    pub lease_ms: Millis,
    /// The interval at which a worker renews its claims.
    #[serde(rename = "heartbeat", with = "duration")]
    pub heartbeat_ms: Millis,
    /// The maximum duration of an attempt at a job.
    #[serde(rename = "attempt_timeout", with = "duration")]
    pub attempt_timeout_ms: Millis,
    /// The delay after the first failure; each further failure doubles it, up to `backoff_max`.
    #[serde(rename = "backoff", with = "duration")]
    pub backoff_ms: Millis,
    /// The maximum delay after a failure.
    #[serde(rename = "backoff_max", with = "duration")]
    pub backoff_max_ms: Millis,
    /// Claims after which a job becomes a dead letter. A claim whose worker died counts.
    pub max_claims: i64,
    /// Transient failures after which a job becomes a dead letter.
    pub max_failures: i64,
}

/// `[retention]`: how long records are retained.
#[derive(Clone, Debug, Deserialize)]
pub struct Retention {
    /// Of events.
    #[serde(rename = "events", with = "duration")]
    pub events_ms: Millis,
    /// Of ended jobs.
    #[serde(rename = "jobs", with = "duration")]
    pub jobs_ms: Millis,
    /// Of webhook deliveries.
    #[serde(rename = "deliveries", with = "duration")]
    pub deliveries_ms: Millis,
    /// Of the idempotency keys of deletions.
    #[serde(rename = "requests", with = "duration")]
    pub requests_ms: Millis,
    /// Of workers that have stopped.
    #[serde(rename = "workers", with = "duration")]
    pub workers_ms: Millis,
    /// Of photos that no listing and no reply uses.
    #[serde(rename = "unused_photos", with = "duration")]
    pub unused_photos_ms: Millis,
    /// Of screenshots, thumbnails and page texts of ended publish jobs.
    #[serde(rename = "screenshots", with = "duration")]
    pub screenshots_ms: Millis,
}

impl Settings {
    /// Returns the backoff of failed jobs.
    pub fn backoff(&self) -> Backoff {
        Backoff {
            first_ms: self.jobs.backoff_ms,
            max_ms: self.jobs.backoff_max_ms,
            max_failures: self.jobs.max_failures,
        }
    }

    /// Returns the time zone of daily schedules. UTC if the setting is invalid.
    pub fn zone(&self) -> TimeZone {
        zone(&self.timezone).unwrap_or(TimeZone::UTC)
    }

    /// Checks the relations between settings.
    ///
    /// # Errors
    /// `Setup`, whose message names the settings to change.
    pub fn check(&self) -> Result<()> {
        zone(&self.timezone)?;
        let Self {
            people,
            publish,
            replies,
            effects,
            jobs,
            retention,
            ..
        } = self;
        let retentions = [
            retention.events_ms,
            retention.jobs_ms,
            retention.deliveries_ms,
            retention.requests_ms,
            retention.workers_ms,
            retention.unused_photos_ms,
        ];
        let rules = [
            (
                people.session_ms >= HOUR,
                "people.session_ttl must be at least 1h, so that a session outlives its access token",
            ),
            (
                people.failures_per_account >= 1 && people.failures_per_address >= 1,
                "people.failures_per_account and people.failures_per_address must be at least 1",
            ),
            (
                jobs.lease_ms >= 3 * jobs.heartbeat_ms,
                "jobs.lease must be at least three times jobs.heartbeat, so that one late heartbeat loses no job",
            ),
            (
                effects.click_window_ms < jobs.lease_ms,
                "effects.click_window must be shorter than jobs.lease, so that an intent does not outlive its claim",
            ),
            (
                effects.settle_ms >= 2 * effects.settle_poll_ms,
                "effects.settle must be at least twice effects.settle_poll, so that it contains two readings",
            ),
            (
                publish.per_minute >= publish.per_minute_account,
                "publish.per_minute must not be lower than publish.per_minute_account",
            ),
            (
                publish.per_minute_account >= 1 && publish.changes_per_minute_account >= 1,
                "publish.per_minute_account and publish.changes_per_minute_account must be at least 1",
            ),
            (
                jobs.max_claims >= 2,
                "jobs.max_claims must be at least 2: one attempt and one cleanup",
            ),
            (
                self.limits.imports_per_hour >= 1 && self.limits.uploads_per_minute >= 1,
                "limits.imports_per_hour and limits.uploads_per_minute must be at least 1",
            ),
            (
                retentions.iter().all(|retention| *retention >= HOUR),
                "every key of [retention] except screenshots must be at least 1h",
            ),
            (
                self.confirm_token_ms > 0,
                "confirm_token_ttl must be longer than 0s",
            ),
            (
                replies.per_minute_account >= 1 && self.sync.now_per_minute >= 1,
                "replies.per_minute_account and sync.now_per_minute must be at least 1",
            ),
        ];
        match rules.iter().find(|(holds, _)| !holds) {
            Some((_, message)) => Err(Error::Setup((*message).to_owned())),
            None => Ok(()),
        }
    }
}

/// A duration as text with a unit, such as `"250ms"`, `"90s"`, `"15m"` or `"7d"`, read as milliseconds.
pub mod duration {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer};

    use crate::clock::Millis;

    /// Deserializes a duration.
    ///
    /// # Errors
    /// The text is not a duration, or its milliseconds do not fit into 64 bits.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Millis, D::Error> {
        let text = String::deserialize(deserializer)?;
        let duration = humantime::parse_duration(&text).map_err(|error| {
            D::Error::custom(format!(
                "{text:?} is not a duration such as \"30s\", \"15m\" or \"7d\": {error}"
            ))
        })?;
        Millis::try_from(duration.as_millis()).map_err(D::Error::custom)
    }
}

/// Finds a time zone in the bundled database, which is the same on every machine.
pub(crate) fn zone(name: &str) -> Result<TimeZone> {
    let found = TimeZoneDatabase::bundled().get(name);
    found.map_err(|_| {
        Error::Setup(format!(
            "timezone = {name:?} is not a time zone; use an IANA name such as Europe/Paris, or UTC"
        ))
    })
}
