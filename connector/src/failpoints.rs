//! Failpoints of this crate, as in `domain`: `FAILPOINTS=<rule>` disables one protecting rule, only in builds with
//! debug assertions.

/// Whether this rule is disabled.
#[cfg(debug_assertions)]
pub(crate) fn disables(rule: &str) -> bool {
    use std::sync::LazyLock;

    static DISABLED: LazyLock<String> = LazyLock::new(|| std::env::var("FAILPOINTS").unwrap_or_default());
    DISABLED.as_str() == rule
}

/// Returns false: this build has no failpoints.
#[cfg(not(debug_assertions))]
pub(crate) const fn disables(_rule: &str) -> bool {
    false
}
