//! Failpoints: `FAILPOINTS=<rule>` disables one protecting rule, so that a proof can show that it notices.
//!
//! They exist in builds with debug assertions only. A release build contains neither the variable's name nor the branch.

/// Whether this rule is disabled.
#[cfg(debug_assertions)]
pub fn disables(rule: &str) -> bool {
    use std::sync::LazyLock;

    static DISABLED: LazyLock<String> = LazyLock::new(|| std::env::var("FAILPOINTS").unwrap_or_default());
    DISABLED.as_str() == rule
}

/// Whether this rule is disabled: never in this build.
#[cfg(not(debug_assertions))]
pub const fn disables(_rule: &str) -> bool {
    false
}
