//! Settings that rules depend on. Their defaults and meaning stand in `config.default.toml`.

use serde::{Deserialize, Serialize};

use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::accounts::Mode;
use crate::clock::Millis;
use crate::jobs::BackOff;
use crate::{Error, Result};

/// Less than that nobody could mean.
const HOUR: Millis = 3_600_000;

/// Everything that the domain's rules can be told. Times are milliseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// What a new account starts as.
    pub session_mode: Mode,
    /// How long a confirmation may be waited for.
    pub confirm_token_ms: Millis,
    /// How long a signed address of a photo, a screenshot or a preview works.
    pub signed_url_ms: Millis,
    /// Publications in any minute, all accounts together.
    pub publish_per_minute: i64,
    /// Publications in any minute, each account.
    pub publish_per_minute_account: i64,
    /// Changes of items that are on the site, in any minute, each account.
    pub changes_per_minute_account: i64,
    /// How long a reply that needs no confirmation can be taken back before it is sent.
    pub reply_undo_ms: Millis,
    /// Replies that may be sent in any minute, each account.
    pub replies_per_minute_account: i64,
    /// Readings of its inbox that may be asked for in any minute, each account.
    pub sync_now_per_minute: i64,
    /// Sessions that an owner may import in any hour.
    pub imports_per_hour: i64,
    /// New photos that an owner may upload in any minute.
    pub uploads_per_minute: i64,
    /// How long after a commit an intent still allows its click.
    pub click_window_ms: Millis,
    /// The longest that a request to the site can take.
    pub request_timeout_ms: Millis,
    /// How long an unknown outcome is read again before "nothing there" counts.
    pub settle_ms: Millis,
    /// The pause between two readings while settling.
    pub settle_poll_ms: Millis,
    /// How long a worker's claim on a job lasts without renewal.
    pub lease_ms: Millis,
    /// How often a worker renews its claims.
    pub heartbeat_ms: Millis,
    /// The longest that one attempt at a job may take.
    pub attempt_timeout_ms: Millis,
    /// The first pause after a failure; each further one doubles it, up to `back_off_max_ms`.
    pub back_off_ms: Millis,
    pub back_off_max_ms: Millis,
    /// Claims after which a job is given up, its deaths included.
    pub max_claims: i64,
    /// Failures that may pass by themselves after which a job is given up.
    pub max_failures: i64,
    /// How long what was settled as not done is watched for.
    pub watch_ms: Millis,
    /// How long events and ended jobs are kept.
    pub events_keep_ms: Millis,
    pub jobs_keep_ms: Millis,
    /// How long deliveries of webhooks, ids of deletions that were asked for, and workers that are gone are kept.
    pub deliveries_keep_ms: Millis,
    pub requests_keep_ms: Millis,
    pub workers_keep_ms: Millis,
    /// How long an uploaded photo may be used by nothing.
    pub unused_photos_keep_ms: Millis,
    /// How long screenshots, small pictures and page texts of ended publish jobs are kept.
    pub screenshots_keep_ms: Millis,
    /// By how much a scheduled time may have passed for the job still to be published by itself.
    pub schedule_late_ms: Millis,
    /// The place whose clocks daily schedules go by, such as `Europe/Paris`.
    pub timezone: String,
    /// Whether attempts have a window that a person can see. Not set by anybody: known when the browser is.
    #[serde(skip)]
    pub browser_window: bool,
}

impl Settings {
    /// How failures of a job are spaced.
    pub fn back_off(&self) -> BackOff {
        BackOff {
            first_ms: self.back_off_ms,
            max_ms: self.back_off_max_ms,
            max_failures: self.max_failures,
        }
    }

    /// The time zone that daily schedules go by.
    pub fn zone(&self) -> TimeZone {
        zone(&self.timezone).unwrap_or(TimeZone::UTC)
    }

    /// Checks what settings mean to each other. The message says which to change.
    pub fn check(&self) -> Result<()> {
        zone(&self.timezone)?;
        let rules = [
            (
                self.lease_ms >= 3 * self.heartbeat_ms,
                "lease_ms must be at least three times heartbeat_ms, so that one late heartbeat loses no job",
            ),
            (
                self.click_window_ms < self.lease_ms,
                "click_window_ms must be below lease_ms, so that an intent does not outlive its claim",
            ),
            (
                self.settle_ms >= 2 * self.settle_poll_ms,
                "settle_ms must be at least twice settle_poll_ms, so that two readings fit in",
            ),
            (
                self.publish_per_minute >= self.publish_per_minute_account,
                "publish_per_minute must not be below publish_per_minute_account",
            ),
            (
                self.publish_per_minute_account >= 1,
                "publish_per_minute_account must be at least 1",
            ),
            (
                self.changes_per_minute_account >= 1,
                "changes_per_minute_account must be at least 1",
            ),
            (
                self.max_claims >= 2,
                "max_claims must be at least 2: one attempt, one to clean up",
            ),
            (
                self.schedule_late_ms >= 0 && self.screenshots_keep_ms >= 0,
                "schedule_late_ms and screenshots_keep_ms must not be below 0",
            ),
            (
                self.imports_per_hour >= 1 && self.uploads_per_minute >= 1,
                "imports_per_hour and uploads_per_minute must be at least 1",
            ),
            (
                [
                    self.events_keep_ms,
                    self.jobs_keep_ms,
                    self.deliveries_keep_ms,
                    self.requests_keep_ms,
                    self.workers_keep_ms,
                    self.unused_photos_keep_ms,
                ]
                .iter()
                .all(|keep| *keep >= HOUR),
                "what ends in _keep_ms, but for screenshots, must be at least an hour (3600000)",
            ),
            (self.confirm_token_ms > 0, "confirm_token_ms must be above 0"),
            (self.reply_undo_ms >= 0, "reply_undo_ms must not be below 0"),
            (
                self.replies_per_minute_account >= 1 && self.sync_now_per_minute >= 1,
                "replies_per_minute_account and sync_now_per_minute must be at least 1",
            ),
        ];
        match rules.iter().find(|(holds, _)| !holds) {
            Some((_, message)) => Err(Error::Setup((*message).to_owned())),
            None => Ok(()),
        }
    }
}

/// The time zone of that name, by the rules that this program brings along: the same on every machine.
pub(crate) fn zone(name: &str) -> Result<TimeZone> {
    let found = TimeZoneDatabase::bundled().get(name);
    found.map_err(|_| {
        Error::Setup(format!(
            "timezone = {name:?} is no time zone; one is written like Europe/Paris, or UTC"
        ))
    })
}
