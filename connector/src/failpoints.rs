//! Failpoints of this crate, as in the domain: `FAILPOINTS=<rule>` disables one protecting rule, in builds with debug
//! assertions only.

/// Whether this rule is disabled.
#[cfg(debug_assertions)]
pub(crate) fn disables(rule: &str) -> bool {
    use std::sync::LazyLock;

    static DISABLED: LazyLock<String> = LazyLock::new(|| std::env::var("FAILPOINTS").unwrap_or_default());
    DISABLED.as_str() == rule
}

/// Whether this rule is disabled: never in this build.
#[cfg(not(debug_assertions))]
pub(crate) const fn disables(_rule: &str) -> bool {
    false
}
