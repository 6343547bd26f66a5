//! The authenticated caller, and what a method requires of it.

use std::net::IpAddr;

use super::{LinkHolder, Role, Scopes};
use crate::clock::Millis;
use crate::{Error, Reason, Result};

/// The authenticated caller: the workspace, and an API token or a signed-in person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub workspace_id: String,
    /// The id of the API token or of the session.
    pub credential_id: String,
    /// Absent: the caller uses an API token.
    pub person: Option<Person>,
    pub scopes: Scopes,
    /// The time from which the API token or the session is refused. Absent: never.
    pub expire_time: Option<Millis>,
}

/// A signed-in person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub user_id: String,
    pub role: Role,
}

/// What a method requires of its caller. The options of the contract's methods define it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// The scopes that an API token needs.
    pub scopes: Scopes,
    /// Whether API tokens are refused.
    pub people_only: bool,
    /// The lowest role that a signed-in person needs.
    pub role: Role,
}

/// The client of a call, known before its caller is authenticated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// Absent: unknown, for calls that do not come over the network.
    pub address: Option<IpAddr>,
    /// The name of the device. Empty: unknown.
    pub device: String,
}

impl Client {
    /// The maximum length of a device, in characters.
    pub const DEVICE_MAX: usize = 100;

    /// Cuts the device to [`Self::DEVICE_MAX`] and removes its control characters.
    pub fn new(address: Option<IpAddr>, device: &str) -> Self {
        let shown = device.chars().filter(|c| !c.is_control());
        let cut: String = shown.take(Self::DEVICE_MAX).collect();
        Self {
            address,
            device: cut.trim().to_owned(),
        }
    }
}

impl Caller {
    /// Returns the holder for links that are created for the caller.
    pub fn link_holder(&self) -> LinkHolder {
        LinkHolder {
            token_id: self.credential_id.clone(),
            until: self.expire_time,
        }
    }

    /// Returns the id on which API tokens and webhook endpoints of the caller depend: that of the API token, or of the
    /// person, because these outlive a session.
    pub fn creator_id(&self) -> &str {
        self.person
            .as_ref()
            .map_or(self.credential_id.as_str(), |person| person.user_id.as_str())
    }

    /// Returns the time at which API tokens that the caller creates expire at the latest. Absent: no limit.
    pub(super) fn creations_until(&self) -> Option<Millis> {
        self.expire_time.filter(|_| self.person.is_none())
    }

    /// Returns the signed-in person.
    ///
    /// # Errors
    /// PERSON_REQUIRED for an API token.
    pub fn person(&self) -> Result<&Person> {
        self.person.as_ref().ok_or_else(person_required)
    }

    /// Checks that the caller may call a method.
    ///
    /// # Errors
    /// PERSON_REQUIRED, INSUFFICIENT_ROLE, INSUFFICIENT_SCOPE.
    pub fn authorize(&self, access: &Access) -> Result<()> {
        match &self.person {
            Some(person) if person.role >= access.role => Ok(()),
            Some(_) => {
                let role = access.role.name();
                let message = format!("this call requires role {role}; ask an owner of the workspace");
                Err(Error::rejected(Reason::InsufficientRole, message).with("role", role))
            }
            None if access.people_only => Err(person_required()),
            None => match access.scopes.iter().find(|scope| !self.scopes.contains(*scope)) {
                None => Ok(()),
                Some(lacking) => {
                    let lacking = lacking.name();
                    let message = format!("this call requires an API token with scope {lacking}");
                    Err(Error::rejected(Reason::InsufficientScope, message).with("scope", lacking))
                }
            },
        }
    }
}

fn person_required() -> Error {
    Error::rejected(
        Reason::PersonRequired,
        "this call is only for signed-in people; sign in, an API token does not suffice",
    )
}
