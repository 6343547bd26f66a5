//! `vintedbot seed`: fills an instance with believable data.

use anyhow::Result;
use vintedbot_domain::Domain;

use crate::config::Config;

/// Fills the instance that the settings name.
pub async fn run() -> Result<()> {
    let config = Config::load()?;
    let instance = crate::instance::open(&config, config.settings()).await?;
    let practice = super::serve::start_practice(&config).await?;
    fill(&config, &instance.domain, &super::serve::practice_url(&config, practice.as_ref())).await
}

/// Fills an open instance.
pub async fn fill(_config: &Config, _domain: &Domain, _practice_url: &str) -> Result<()> {
    Ok(())
}
