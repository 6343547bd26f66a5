//! `vintedbot user`: manages the people who sign in. Works while the instance runs.

use std::io::Read as _;

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::{Args, Subcommand};
use vintedbot_domain::Context;
use vintedbot_domain::identity::operator::{self, NewUser};
use vintedbot_domain::identity::{Password, Role, User};
use vintedbot_domain::ids::{Ids as _, SystemIds};

use crate::config::Config;
use crate::instance;

/// The action on people.
#[derive(Subcommand)]
pub enum Command {
    /// Creates a person.
    Create(NewPerson),
    /// Prints all people.
    List,
    /// Sets a new password and ends all sessions of the person.
    ResetPassword {
        /// The e-mail address of the person.
        #[arg(long)]
        email: String,
        #[command(flatten)]
        password: NewPassword,
    },
    /// Removes the second factor of a person who lost it, and ends all their sessions.
    ResetSecondFactor {
        /// The e-mail address of the person.
        #[arg(long)]
        email: String,
    },
    /// Disables a person, who then cannot sign in. Ends the sessions, and the API tokens and webhook endpoints that the
    /// person created.
    Disable {
        /// The e-mail address of the person.
        #[arg(long)]
        email: String,
    },
    /// Lets a disabled person sign in again. Does not restore sessions, API tokens and webhook endpoints.
    Enable {
        /// The e-mail address of the person.
        #[arg(long)]
        email: String,
    },
}

/// The options of `vintedbot user create`.
#[derive(Args)]
pub struct NewPerson {
    /// The e-mail address. It is not verified.
    #[arg(long)]
    email: String,
    /// The name that other people see. Default: the part of the address before the @.
    #[arg(long)]
    name: Option<String>,
    /// The role: owner, member or viewer. Default: owner for the first person of the workspace, otherwise member.
    #[arg(long, value_parser = role)]
    role: Option<Role>,
    /// The id of the workspace. Default: the first workspace of the instance.
    #[arg(long)]
    workspace: Option<String>,
    #[command(flatten)]
    password: NewPassword,
}

/// The source of a new password.
#[derive(Args)]
pub struct NewPassword {
    /// Reads the password from standard input. Without this option, a random password is generated and printed.
    #[arg(long)]
    password_stdin: bool,
}

/// Runs the command on the configured database.
pub async fn run(command: Command) -> Result<()> {
    let config = Config::load()?;
    let (context, started) = instance::open_beside(&config).await?;
    match command {
        Command::Create(person) => create(&context, person, started.workspace_id).await?,
        Command::List => list(&context).await?,
        Command::ResetPassword { email, password } => {
            let text = password.text()?;
            let user = operator::reset_password(&context, &email, Password::new(text.clone())).await?;
            println!("{} has a new password; all sessions have ended", user.email);
            password.show(&text);
        }
        Command::ResetSecondFactor { email } => {
            let user = operator::reset_second_factor(&context, &email).await?;
            println!("{} has no second factor; all sessions have ended", user.email);
        }
        Command::Disable { email } => {
            let user = operator::set_disabled(&context, &email, true).await?;
            println!(
                "{} is disabled; the sessions, API tokens and webhook endpoints of the person have ended",
                user.email
            );
        }
        Command::Enable { email } => {
            let user = operator::set_disabled(&context, &email, false).await?;
            println!("{} can sign in", user.email);
        }
    }
    Ok(())
}

async fn create(context: &Context, person: NewPerson, first_workspace: String) -> Result<()> {
    let before_at = person.email.split('@').next().unwrap_or_default();
    let text = person.password.text()?;
    let new = NewUser {
        display_name: person.name.unwrap_or_else(|| before_at.to_owned()),
        email: person.email,
        password: Password::new(text.clone()),
        role: person.role,
        workspace_id: person.workspace.unwrap_or(first_workspace),
    };
    let user = operator::create_user(context, new).await?;
    println!(
        "{} is {} of workspace {}",
        user.email,
        shown(user.role),
        user.workspace_id
    );
    person.password.show(&text);
    Ok(())
}

async fn list(context: &Context) -> Result<()> {
    let users = operator::list_users(context).await?;
    let width = |column: fn(&User) -> &str| {
        let widths = users.iter().map(|user| column(user).chars().count());
        widths.max().unwrap_or_default().max(5)
    };
    let (emails, names) = (width(|user| &user.email), width(|user| &user.display_name));
    println!(
        "{:<emails$} {:<names$} {:<6} {:<36} {:<8} second factor",
        "email", "name", "role", "workspace", "state"
    );
    for user in &users {
        println!(
            "{:<emails$} {:<names$} {:<6} {:<36} {:<8} {}",
            user.email,
            user.display_name,
            shown(user.role),
            user.workspace_id,
            if user.disable_time.is_some() {
                "disabled"
            } else {
                "active"
            },
            if user.second_factor_enabled { "on" } else { "off" },
        );
    }
    Ok(())
}

impl NewPassword {
    /// Returns the new password.
    fn text(&self) -> Result<String> {
        if !self.password_stdin {
            return Ok(random_password());
        }
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .context("the password could not be read from standard input")?;
        text.truncate(text.trim_end_matches(['\r', '\n']).len());
        Ok(text)
    }

    /// Prints the new password if it was generated, because only a hash of it is stored.
    fn show(&self, text: &str) {
        if !self.password_stdin {
            println!("password: {text}");
        }
    }
}

/// Returns a password of 120 random bits.
pub fn random_password() -> String {
    URL_SAFE_NO_PAD.encode(&SystemIds.secret()[..15])
}

fn role(name: &str) -> Result<Role, String> {
    Role::from_name(name).ok_or_else(|| "a role is owner, member or viewer".to_owned())
}

fn shown(role: Role) -> String {
    role.name().to_ascii_lowercase()
}
