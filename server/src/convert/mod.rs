//! Conversions between the contract's types and the domain's. Enums are matched exhaustively, so that a new value
//! cannot be forgotten. [`Fields`] collects all violations of a request, and one error reports them together.

pub mod account;
pub mod api_token;
pub mod catalog;
pub mod event;
pub mod inbox;
pub mod listing;
pub mod photo;
pub mod publish_job;
pub mod search;
pub mod template;
pub mod user;
pub mod wardrobe;
pub mod webhook;

use prost_types::{FieldMask, Timestamp};
use uuid::Uuid;
use vintedbot_domain::clock::Millis;
use vintedbot_domain::{self as domain, Fault, Violation, failpoints, listings};
use vintedbot_marketplace::limits::{Limits, ViolationKind};

use crate::errors::{self, Problem};

/// The maximum entries of a list with few distinct values: enum values, scopes, event types, field names. Further
/// entries would repeat values.
pub const CHOICES_MAX: usize = 100;

/// Reads a request's fields and collects their violations.
///
/// A list must pass [`Fields::list`], or a method that calls it, before its entries are read: a message of a few
/// megabytes can contain millions of empty entries.
#[derive(Default)]
pub struct Fields {
    violations: Vec<Violation>,
    /// A refusal with its own reason, returned instead of the violations.
    refusal: Option<domain::Error>,
}

impl Fields {
    /// Records a violation of a field.
    pub fn wrong(&mut self, field: impl Into<String>, description: impl Into<String>) {
        self.note(|| Violation::new(field, description));
    }

    /// Records at most one violation more than a response names. The extra one shows that there are more.
    fn note(&mut self, violation: impl FnOnce() -> Violation) {
        if self.violations.len() <= errors::VIOLATIONS_MAX || failpoints::disables("lists") {
            self.violations.push(violation());
        }
    }

    /// Returns a list of at most `max` entries. A longer list is a violation, and its entries are dropped unread.
    pub fn list<T>(&mut self, field: &str, max: usize, values: Vec<T>) -> Vec<T> {
        if values.len() <= max || failpoints::disables("lists") {
            return values;
        }
        let text = format!("has {} entries, at most {max} are allowed", values.len());
        self.note(|| Violation::of(Fault::Limit(ViolationKind::TooMany), field, text));
        Vec::new()
    }

    /// Returns the photos of a listing. Too many photos are refused with TOO_MANY_PHOTOS, unread.
    pub fn photos<T>(&mut self, limits: &Limits, values: Vec<T>) -> Vec<T> {
        let max = listings::photos_max(limits);
        if values.len() <= max {
            return values;
        }
        self.refusal = Some(listings::too_many_photos(values.len(), max));
        Vec::new()
    }

    /// Returns the paths of a field mask, or none if it is absent.
    pub fn mask(&mut self, field: &str, mask: Option<FieldMask>) -> Vec<String> {
        self.list(
            field,
            CHOICES_MAX,
            mask.map(|mask| mask.paths).unwrap_or_default(),
        )
    }

    /// Returns a required UUID.
    pub fn id(&mut self, field: &str, value: String) -> String {
        if value.is_empty() {
            self.wrong(field, "is required");
        } else {
            self.check_uuid(field, &value);
        }
        value
    }

    /// Returns an optional UUID.
    pub fn optional_id(&mut self, field: &str, value: String) -> Option<String> {
        if value.is_empty() {
            return None;
        }
        self.check_uuid(field, &value);
        Some(value)
    }

    /// Returns at most `max` UUIDs.
    pub fn ids(&mut self, field: &str, max: usize, values: Vec<String>) -> Vec<String> {
        let each = self.list(field, max, values).into_iter().enumerate();
        each.map(|(at, value)| self.id(&format!("{field}[{at}]"), value))
            .collect()
    }

    fn check_uuid(&mut self, field: &str, value: &str) {
        if value.len() != 36 || Uuid::try_parse(value).is_err() {
            self.wrong(field, "must be a UUID like 0191b3c2-7f4e-7d3a-9c51-2f6a8e0d4b17");
        }
    }

    /// Returns a required text.
    pub fn text(&mut self, field: &str, value: String) -> String {
        if value.is_empty() {
            self.wrong(field, "is required");
        }
        value
    }

    /// Returns a required message.
    pub fn required<T>(&mut self, field: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.wrong(field, "is required");
        }
        value
    }

    /// Returns an optional timestamp.
    pub fn time(&mut self, field: &str, value: Option<Timestamp>) -> Option<Millis> {
        let value = value?;
        let millis = millis(&value);
        if millis.is_none() {
            self.wrong(field, "must be a time between the years 1 and 9999");
        }
        millis
    }

    /// Converts an enum value. 0 (unspecified) and unknown values are violations.
    pub fn enumeration<P, D>(
        &mut self,
        field: &str,
        value: i32,
        convert: impl Fn(P) -> Option<D>,
    ) -> Option<D>
    where
        P: TryFrom<i32>,
    {
        let converted = P::try_from(value).ok().and_then(convert);
        if converted.is_none() {
            self.wrong(field, format!("{value} is not an allowed value"));
        }
        converted
    }

    /// Converts a list of at most [`CHOICES_MAX`] enum values.
    pub fn enumerations<P, D>(
        &mut self,
        field: &str,
        values: Vec<i32>,
        convert: impl Fn(P) -> Option<D>,
    ) -> Vec<D>
    where
        P: TryFrom<i32>,
    {
        let each = self.list(field, CHOICES_MAX, values).into_iter().enumerate();
        each.filter_map(|(at, value)| self.enumeration(&format!("{field}[{at}]"), value, &convert))
            .collect()
    }

    /// Returns `value`, unless there is a violation.
    pub fn done<T>(self, value: T) -> Result<T, Problem> {
        self.done_with(Some(value))
    }

    /// Returns the request. `value` is `None` only if a required part is missing, which is a violation.
    pub fn done_with<T>(self, value: Option<T>) -> Result<T, Problem> {
        if let Some(refusal) = self.refusal {
            return Err(refusal.into());
        }
        match value {
            Some(value) if self.violations.is_empty() => Ok(value),
            _ => Err(Problem::invalid(self.violations)),
        }
    }
}

/// Converts a time to the contract's timestamp.
pub fn timestamp(time: Millis) -> Timestamp {
    Timestamp {
        seconds: time.div_euclid(1000),
        nanos: i32::try_from(time.rem_euclid(1000) * 1_000_000).expect("below a second"),
    }
}

fn millis(timestamp: &Timestamp) -> Option<Millis> {
    // 0001-01-01 and 9999-12-31, the range of google.protobuf.Timestamp.
    let in_range = (-62_135_596_800..=253_402_300_799).contains(&timestamp.seconds);
    let nanos = i64::from(timestamp.nanos);
    (in_range && (0..1_000_000_000).contains(&nanos)).then(|| timestamp.seconds * 1000 + nanos / 1_000_000)
}

/// Converts a sequence or a count, which is never negative.
pub fn saturating_u64(value: i64) -> u64 {
    u64::try_from(value).unwrap_or_default()
}

/// Converts a sequence from a caller. A value above the maximum matches no sequence.
pub fn saturating_i64(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Converts a number that is smaller in the contract than in the database.
pub fn saturating_i32(value: i64) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_round_trip_also_before_1970() {
        for time in [0, 1, 999, 1000, 1_795_000_000_123, -1, -1001] {
            assert_eq!(millis(&timestamp(time)), Some(time));
        }
        assert_eq!(
            millis(&Timestamp {
                seconds: 0,
                nanos: -1
            }),
            None
        );
        assert_eq!(
            millis(&Timestamp {
                seconds: i64::MAX,
                nanos: 0
            }),
            None
        );
    }

    #[test]
    fn list_above_its_limit_is_one_violation() {
        let mut fields = Fields::default();
        assert_eq!(fields.ids("ids", 2, vec![String::new(); 3]), Vec::<String>::new());
        let problem = fields.done(()).expect_err("there are too many");
        assert_eq!(problem.message(), "ids: has 3 entries, at most 2 are allowed");
    }

    #[test]
    fn photos_of_a_listing_have_the_configured_limit() {
        let mut limits = Limits::embedded().clone();
        limits.photos.max = 30;
        let mut fields = Fields::default();
        assert_eq!(fields.photos(&limits, vec![(); 30]).len(), 30);
        assert!(fields.done(()).is_ok());
        let mut fields = Fields::default();
        assert!(fields.photos(&limits, vec![(); 31]).is_empty());
        let problem = fields.done(()).expect_err("there are too many");
        assert_eq!(problem.message(), "31 photos given, a listing has at most 30");
    }

    #[test]
    fn violations_beyond_the_reported_number_are_dropped() {
        let mut fields = Fields::default();
        fields.ids("ids", 1_000, vec![String::new(); 1_000]);
        assert_eq!(fields.violations.len(), errors::VIOLATIONS_MAX + 1);
        let problem = fields.done(()).expect_err("they are no ids");
        assert_eq!(problem.message(), "more than 24 fields are wrong");
    }

    #[test]
    fn every_violation_is_reported() {
        let mut fields = Fields::default();
        fields.id("id", String::new());
        fields.id("account_id", "7".to_owned());
        fields.required::<()>("listing", None);
        assert!(
            fields
                .done(())
                .is_err_and(|problem| problem.message().starts_with("3 "))
        );
    }
}
