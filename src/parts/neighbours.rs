//! Other people on this machine, who are warned of where they would reach a browser at work.

use rustix::process::geteuid;
use url::Host;
use vintedbot_connector::{BrowserConfig, is_isolated};

/// Numbers below are those of services; the last one is nobody's.
const PEOPLE: std::ops::Range<u32> = 1_000..65_534;

/// Warns where other people have a shell on this machine and nothing keeps them from the driver. Accounts that are not in
/// `/etc/passwd` are not seen.
pub fn warn_of_them(browser: &BrowserConfig) {
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let people = people(&accounts, geteuid().as_raw());
    if !people.is_empty() && is_reached(browser) {
        tracing::warn!(
            people = people.join(", "),
            "other users of this machine reach the browser while it works, and can read cookies and start programs as this \
             user; see \"A user of its own\" in docs/operations.md"
        );
    }
}

fn is_reached(browser: &BrowserConfig) -> bool {
    match &browser.remote {
        // A driver on this machine listens for everybody here.
        Some(url) => match url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        },
        None => !is_isolated(browser).unwrap_or(false),
    }
}

/// Names of accounts of people with a shell, except this one.
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
    fn other_people_are_those_with_a_shell() {
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
    fn driver_elsewhere_is_reached_where_it_listens_here() {
        for (url, expected) in [
            ("http://127.0.0.1:4444", true),
            ("http://localhost:4444", true),
            ("http://[::1]:4444", true),
            ("http://grid.example:4444", false),
        ] {
            let browser = BrowserConfig::remote(url, None, true).expect("an address");
            assert_eq!(is_reached(&browser), expected, "{url}");
        }
    }
}
