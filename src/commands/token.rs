//! `vintedbot token`: creates an API token for the holder of the data folder.

use anyhow::Result;

use crate::config::Config;
use crate::instance;

/// Creates an API token with every scope and writes it to the token file.
pub async fn run() -> Result<()> {
    let config = Config::load()?;
    // The command must not create an instance if the configured location is wrong.
    drop(instance::existing(&config).await?);
    let instance = if config.is_shared() {
        instance::join(&config, config.settings(), true).await?
    } else {
        instance::open(&config, config.settings()).await?
    };
    if !instance.started.first_start {
        instance::write_first_token(&instance.context, &instance.started, &instance.token_file).await?;
    }
    println!("token file: {}", instance.token_file.display());
    Ok(())
}
