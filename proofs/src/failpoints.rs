//! Checks of the failpoint that a proof runs with.

use anyhow::{Result, ensure};

/// Rejects a rule that this proof cannot disable, and any rule in a build without failpoints.
///
/// # Errors
///
/// Fails if the rule is neither empty nor one of `known`, or if this build has no debug assertions.
pub fn check(rule: &str, known: &[&str]) -> Result<()> {
    if rule.is_empty() {
        return Ok(());
    }
    ensure!(
        known.contains(&rule),
        "FAILPOINTS={rule}: this proof can disable {}",
        known.join(", ")
    );
    ensure_compiled()
}

/// Rejects a build that cannot halt at a stage or disable a rule.
///
/// # Errors
///
/// Fails if this build, and therefore the program beside it, has no debug assertions.
pub fn ensure_compiled() -> Result<()> {
    ensure!(
        cfg!(debug_assertions),
        "a build without debug assertions has no failpoints"
    );
    Ok(())
}
