//! Failpoints: `FAILPOINTS=<rule>` disables one protecting rule, so that a proof can show that it detects the harm.
//!
//! Failpoints exist only in builds with debug assertions. A release build contains neither the variable's name nor the
//! branch.

/// Returns whether this rule is disabled.
#[cfg(debug_assertions)]
pub fn disables(rule: &str) -> bool {
    use std::sync::LazyLock;

    static DISABLED: LazyLock<String> = LazyLock::new(|| std::env::var("FAILPOINTS").unwrap_or_default());
    DISABLED.as_str() == rule
}

/// Returns false: failpoints do not exist in this build.
#[cfg(not(debug_assertions))]
pub const fn disables(_rule: &str) -> bool {
    false
}
