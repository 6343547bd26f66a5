//! The demo person, with whom a developer signs in to an instance with example data.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use vintedbot_domain::Context;
use vintedbot_domain::identity::operator::{self, NewUser};
use vintedbot_domain::identity::{Password, Role, User};

use crate::commands::user::random_password;
use crate::config::Config;
use crate::instance;

/// The address of the demo person.
pub const DEMO_EMAIL: &str = "demo@example.com";

/// Creates the demo person if the instance has no people. Returns the file with the password, if the demo person can sign
/// in.
pub async fn demo_person(config: &Config, context: &Context, workspace_id: &str) -> Result<Option<PathBuf>> {
    let file = config.data_dir.join("demo-password");
    let people = operator::list_users(context).await?;
    if people.is_empty() {
        let password = random_password();
        // The file is written first, so that an interrupted start leaves no person with an unknown password.
        instance::write_secret(&file, &password).with_context(|| file.display().to_string())?;
        let new = NewUser {
            email: DEMO_EMAIL.to_owned(),
            display_name: "Demo".to_owned(),
            password: Password::new(password),
            role: Some(Role::Owner),
            workspace_id: workspace_id.to_owned(),
        };
        operator::create_user(context, new).await?;
        return Ok(Some(file));
    }
    let can_sign_in = |user: &User| user.email == DEMO_EMAIL && user.disable_time.is_none();
    Ok((people.iter().any(can_sign_in) && file.exists()).then_some(file))
}
