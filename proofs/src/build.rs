//! Building the program that is proved.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// The program as the sources have it, where the proofs look for it. Where it is up to date, cargo is not asked: it would
/// wait for whoever else builds.
///
/// # Errors
///
/// It cannot be built.
pub fn program() -> Result<()> {
    let own = std::env::current_exe()?;
    let folder = own
        .ancestors()
        .nth(2)
        .context("a test lies in target/debug/deps")?;
    if is_up_to_date(&folder.join("vintedbot")) {
        return Ok(());
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("the workspace")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--bin", "vintedbot"]);
    let built = build.current_dir(root).status()?;
    ensure!(built.success(), "vintedbot does not build");
    Ok(())
}

/// Whether a program is newer than every source that cargo has listed for it.
fn is_up_to_date(program: &Path) -> bool {
    let time = |path: &Path| std::fs::metadata(path).and_then(|found| found.modified()).ok();
    let listed = std::fs::read_to_string(program.with_extension("d")).unwrap_or_default();
    let (Some(built), Some((_, sources))) = (time(program), listed.split_once(": ")) else {
        return false;
    };
    sources
        .split_whitespace()
        .all(|source| time(Path::new(source)).is_some_and(|changed| changed <= built))
}

/// Builds the program that halts where it is told to, and whose rules can be switched off; any other build can do neither.
///
/// # Errors
///
/// It cannot be built.
pub fn for_harm() -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let workspace = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let arguments = ["build", "--quiet", "--bin", "vintedbot", "--features", "sabotage"];
    let status = Command::new(cargo)
        .args(arguments)
        .current_dir(workspace)
        .status()
        .context("cargo")?;
    anyhow::ensure!(status.success(), "vintedbot could not be built");
    Ok(())
}
