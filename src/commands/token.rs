//! `vintedbot token`: an API token for whoever holds the data folder.

use anyhow::Result;

use crate::config::Config;
use crate::instance;

/// Makes a token with every scope and writes it to the token file.
pub async fn run() -> Result<()> {
    let config = Config::load()?;
    // One that is looked for in a wrong place must not begin there.
    drop(instance::existing(&config).await?);
    let instance = if config.is_shared() {
        instance::join(&config, config.settings(), true).await?
    } else {
        instance::open(&config, config.settings()).await?
    };
    if !instance.started.first_start {
        instance::write_first_token(&instance.domain, &instance.started, &instance.token_file).await?;
    }
    println!("token file: {}", instance.token_file.display());
    Ok(())
}
