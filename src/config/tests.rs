//! The sources of settings, their names, and the values that are refused.

use vintedbot_domain::settings::Registration;

use super::*;

fn read_file(text: &str) -> Result<Config> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("own.toml");
    std::fs::write(&file, text).expect("written");
    Config::read(&file, |_| None)
}

fn read_environment(variables: &[(&str, &str)]) -> Result<Config> {
    Config::read(Path::new("/nonexistent"), |name| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, text)| (*text).to_owned())
    })
}

#[test]
fn variable_keeps_the_type_of_its_setting() {
    let config = read_environment(&[
        ("ENCRYPTION_KEY", "12345678"),
        ("AWS_SECRET_ACCESS_KEY", "007"),
        ("CONCURRENCY", "3"),
        ("MEDIA_PATH_STYLE", "false"),
        ("BROWSER", "off"),
        ("MAX_CONNECTIONS", "9"),
        ("SYNC_INTERVAL_MIN", "7"),
        ("JOBS_LEASE", "2m"),
        ("PUBLISH_PER_MINUTE", "6"),
    ])
    .expect("valid");
    assert_eq!(config.encryption_key, "12345678");
    assert_eq!(config.aws.secret_access_key, "007");
    assert_eq!(config.concurrency, 3);
    assert!(!config.media.path_style);
    assert_eq!(config.browser.mode, Browser::Off);
    assert_eq!(config.limits.max_connections, 9);
    assert_eq!(config.sync.interval_ms, 420_000);
    assert_eq!(config.settings().jobs.lease_ms, 120_000);
    assert_eq!(config.settings().publish.per_minute, 6);
}

#[test]
fn value_of_another_type_is_refused_by_name() {
    for (name, text, path) in [
        ("JOBS_LEASE", "60000", "jobs.lease"),
        ("RETENTION_EVENTS", "a month", "retention.events"),
        ("SYNC_INTERVAL_MIN", "5m", "SYNC_INTERVAL_MIN"),
        ("CONCURRENCY", "two", "concurrency"),
    ] {
        let error = read_environment(&[(name, text)]).err().expect("refused");
        let error = format!("{error:#}");
        assert!(error.contains(path), "{error}");
    }
}

#[test]
fn default_file_is_a_complete_configuration() {
    let config = read_environment(&[]).expect("the default is valid");
    assert_eq!(config.listen.port(), 50051);
    assert!(config.data_dir.is_absolute());
    assert_eq!(config.settings().publish.per_minute, 5);
}

#[test]
fn no_two_settings_share_a_variable() {
    let known = paths(&Figment::from(Toml::string(DEFAULT))).expect("settings");
    let names: std::collections::BTreeSet<_> = known.keys().map(|path| variable(path)).collect();
    assert_eq!(names.len(), known.len());
    for (path, _) in VARIABLES.iter().chain([&SYNC_INTERVAL]) {
        assert!(known.contains_key(*path), "{path}");
    }
}

/// Compares `docs/settings.md` with the default file. With `UPDATE=1`, the test writes the page.
#[test]
fn documentation_lists_every_setting() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = root.join("docs/settings.md");
    let page = std::fs::read_to_string(&file).expect("the page");
    let (before, rest) = page.split_once("<!-- settings -->\n").expect("a start");
    let (_, after) = rest.split_once("<!-- /settings -->").expect("an end");
    let expected = format!("{before}<!-- settings -->\n{}<!-- /settings -->{after}", table());
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        std::fs::write(&file, &expected).expect("written");
        return;
    }
    assert!(page == expected, "run this test once with UPDATE=1");
}

#[test]
fn example_environment_names_known_variables() {
    let known = paths(&Figment::from(Toml::string(DEFAULT))).expect("settings");
    let names: Vec<_> = known.keys().map(|path| variable(path)).collect();
    let example = include_str!("../../.env.example");
    for line in example.lines().map(|line| line.trim_start_matches("# ")) {
        if let Some((name, _)) = line.split_once('=') {
            assert!(names.iter().any(|known| known == name), "{name}");
        }
    }
}

/// Returns the default file as Markdown tables, one for each TOML table.
fn table() -> String {
    const HEAD: &str = "| setting | variable | default | description |\n| --- | --- | --- | --- |\n";
    let (mut table, mut section, mut comment) = (HEAD.to_owned(), String::new(), Vec::new());
    for line in DEFAULT.lines() {
        if let Some(words) = line.strip_prefix('#') {
            // Lists are indented.
            let bullet = if words.starts_with("   ") { "· " } else { "" };
            let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
            comment.push(format!("{bullet}{}", words.replace('|', "\\|")));
        } else if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            let words = std::mem::take(&mut comment).join(" ");
            let words = if words.is_empty() {
                words
            } else {
                format!("{words}\n\n")
            };
            table += &format!("\n## `[{name}]`\n\n{words}{HEAD}");
            section = format!("{name}.");
        } else if let Some((name, value)) = line.split_once(" = ") {
            let value = match value.trim_matches('"') {
                "" => String::new(),
                value => format!("`{value}`"),
            };
            let name = format!("{section}{name}");
            let words = std::mem::take(&mut comment).join(" ");
            let variable = variable(&name);
            table += &format!("| `{name}` | `{variable}` | {value} | {words} |\n");
        } else {
            comment.clear();
        }
    }
    table
}

#[test]
fn unknown_setting_is_refused_by_name() {
    for (text, path) in [
        ("[publish]\nper_hour = 3\n", "publish.per_hour"),
        ("publish_per_minute = 3\n", "publish_per_minute"),
    ] {
        let error = read_file(text).err().expect("refused").to_string();
        assert!(error.contains(path), "{error}");
    }
}

#[test]
fn name_of_0_1_is_refused_with_its_successor() {
    let changes = include_str!("../../CHANGELOG.md");
    let known = paths(&Figment::from(Toml::string(DEFAULT))).expect("settings");
    let names: Vec<_> = known.keys().map(|path| variable(path)).collect();
    for (old, path) in RENAMED {
        let new = variable(path);
        assert!(
            known.contains_key(path) && !names.iter().any(|name| name == old),
            "{old}"
        );
        assert!(
            changes.contains(&format!("| `{old}` | `{new}` | `{path}` |")),
            "{old}"
        );
        let error = read_environment(&[(old, "1")])
            .err()
            .expect("refused")
            .to_string();
        assert!(error.contains(old) && error.contains(&new), "{error}");
    }
    for (text, path) in [
        ("lease_ms = 60000\n", "jobs.lease"),
        ("publish_per_minute = 3\n", "publish.per_minute"),
        ("sync_interval_min = 5\n", "sync.interval"),
        ("log = \"info\"\n", "log.filter"),
    ] {
        let error = read_file(text).err().expect("refused").to_string();
        assert!(error.contains(&format!("it is now {path}")), "{error}");
    }
}

#[test]
fn malformed_network_is_refused_at_start() {
    for (networks, count) in [
        ("10.0.0.0/8, fd00::/8", Some(2)),
        ("10.0.0.1", None),
        ("home", None),
    ] {
        let text = format!("[webhook]\nallowed_networks = {networks:?}\n");
        let read = read_file(&text).and_then(|config| config.webhook_networks());
        assert_eq!(read.ok().map(|networks| networks.len()), count, "{networks}");
    }
}

#[test]
fn trusted_proxies_are_addresses_or_networks() {
    for (proxies, expected) in [
        ("", Some(vec![])),
        (
            "10.0.0.5, 192.168.0.0/16,fd00::1",
            Some(vec!["10.0.0.5/32", "192.168.0.0/16", "fd00::1/128"]),
        ),
        ("haproxy", None),
        ("10.0.0.5:443", None),
    ] {
        let text = format!("trusted_proxies = {proxies:?}\n");
        let read = read_file(&text).and_then(|config| config.trusted_proxies());
        let networks = read
            .ok()
            .map(|networks| networks.iter().map(ToString::to_string).collect::<Vec<_>>());
        let expected = expected.map(|networks| networks.into_iter().map(str::to_owned).collect());
        assert_eq!(networks, expected, "{proxies}");
    }
}

#[test]
fn row_level_security_is_refused_on_sqlite() {
    let error = read_file("row_level_security = true\n")
        .err()
        .expect("refused")
        .to_string();
    assert!(error.contains("row_level_security"), "{error}");
    let shared = [
        ("ROW_LEVEL_SECURITY", "true"),
        ("DATABASE_URL", "postgres://localhost/vintedbot"),
    ];
    assert!(read_environment(&shared).expect("valid").row_level_security);
}

#[test]
fn links_begin_with_public_url_or_own_address() {
    let base = |variables: &[(&str, &str)]| read_environment(variables).expect("valid").link_base();
    assert_eq!(base(&[("LISTEN", "127.0.0.1:8080")]), "http://127.0.0.1:8080");
    assert_eq!(
        base(&[("PUBLIC_URL", "https://vintedbot.example")]),
        "https://vintedbot.example"
    );
}

#[test]
fn people_settings_are_read_and_checked() {
    let variables = [
        ("PEOPLE_REGISTRATION", "invitation"),
        ("PEOPLE_SESSION_TTL", "12h"),
        ("PEOPLE_FAILURES_PER_ACCOUNT", "3"),
    ];
    let people = read_environment(&variables).expect("valid").settings().people;
    assert_eq!(people.registration, Registration::Invitation);
    assert_eq!(people.session_ms, 43_200_000);
    assert_eq!(
        (people.failures_per_account, people.failures_per_address),
        (3, 100)
    );
    for (name, text, path) in [
        ("PEOPLE_REGISTRATION", "everybody", "people.registration"),
        ("PEOPLE_SESSION_TTL", "59m", "people.session_ttl"),
        ("PEOPLE_FAILURES_PER_ACCOUNT", "0", "people.failures_per_account"),
        ("PEOPLE_FAILURES_PER_ADDRESS", "-1", "people.failures_per_address"),
    ] {
        let error = read_environment(&[(name, text)]).err().expect("refused");
        let error = format!("{error:#}");
        assert!(error.contains(path), "{error}");
    }
}

#[test]
fn malformed_public_url_is_refused_at_start() {
    for (address, is_good) in [
        ("", true),
        ("https://vintedbot.example/base", true),
        ("http://127.0.0.1:50051", true),
        ("vintedbot.example", false),
        ("localhost:50051", false),
        ("ftp://vintedbot.example", false),
    ] {
        let text = format!("public_url = {address:?}\n");
        assert_eq!(read_file(&text).is_ok(), is_good, "{address}");
    }
}

#[test]
fn contradictory_settings_are_refused_by_name() {
    let error = read_file("[jobs]\nlease = \"10s\"\n").err().expect("refused");
    let error = error.to_string();
    assert!(
        error.contains("jobs.lease") && error.contains("jobs.heartbeat"),
        "{error}"
    );
}
