//! Other users of this machine. The operator is warned if they can reach a working browser.

use rustix::process::geteuid;
use url::Host;
use vintedbot_connector::{BrowserConfig, is_isolated};

/// The ids of people's accounts. Lower ids belong to services; 65534 is `nobody`.
const PEOPLE: std::ops::Range<u32> = 1_000..65_534;

/// Warns if other people have a shell on this machine and nothing isolates the browser's driver from them. Users that
/// are not in `/etc/passwd` are not found.
pub fn warn_of_them(browser: &BrowserConfig) {
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let people = people(&accounts, geteuid().as_raw());
    if !people.is_empty() && is_reachable(browser) {
        tracing::warn!(
            people = people.join(", "),
            "other users of this machine can reach the browser while it works; they can read cookies and start \
             programs as this user; see \"Dedicated user\" in docs/operations.md"
        );
    }
}

fn is_reachable(browser: &BrowserConfig) -> bool {
    match &browser.remote {
        // Every user of this machine can reach a driver that listens on a loopback address.
        Some(url) => match url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        },
        None => !is_isolated(browser).unwrap_or(false),
    }
}

/// Returns the names of users with a shell, except this user.
fn people(accounts: &str, own: u32) -> Vec<&str> {
    accounts
        .lines()
        .filter_map(|line| {
            let fields: Vec<_> = line.split(':').collect();
            let &[name, _, number, _, _, _, shell] = fields.as_slice() else {
                return None;
            };
            let number = number.parse().ok()?;
            let has_shell = !["nologin", "false"].iter().any(|none| shell.ends_with(none));
            (PEOPLE.contains(&number) && number != own && has_shell).then_some(name)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_with_a_shell_count_as_other_people() {
        let accounts = "root:x:0:0:root:/root:/bin/bash\n\
             postgres:x:105:110::/var/lib/postgresql:/bin/bash\n\
             own:x:1000:1000::/home/own:/bin/bash\n\
             anna:x:1001:1001:Anna:/home/anna:/usr/bin/fish\n\
             mail:x:1002:1002::/var/mail:/usr/sbin/nologin\n\
             ben:x:1003:1003::/home/ben:\n\
             nobody:x:65534:65534::/nonexistent:/bin/sh\n\
             broken line\n";
        assert_eq!(people(accounts, 1_000), ["anna", "ben"]);
        assert_eq!(people(accounts, 1_001), ["own", "ben"]);
    }

    #[test]
    fn remote_driver_is_reached_at_its_local_address() {
        for (url, expected) in [
            ("http://127.0.0.1:4444", true),
            ("http://localhost:4444", true),
            ("http://[::1]:4444", true),
            ("http://grid.example:4444", false),
        ] {
            let browser = BrowserConfig::remote(url, None, true).expect("an address");
            assert_eq!(is_reachable(&browser), expected, "{url}");
        }
    }
}
