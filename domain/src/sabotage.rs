//! Proofs that can fail: in builds with the `sabotage` feature, `SABOTAGE=<rule>` switches one protecting rule off. In any
//! other build every rule is on, and nothing here can be reached.

/// Whether this rule is switched off.
#[cfg(feature = "sabotage")]
pub fn skips(rule: &str) -> bool {
    std::env::var("SABOTAGE").is_ok_and(|named| named == rule)
}

/// Whether this rule is switched off: never.
#[cfg(not(feature = "sabotage"))]
pub const fn skips(_rule: &str) -> bool {
    false
}
