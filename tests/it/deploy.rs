//! The files for operators are checked by the programs that read them, or by parsers of their language. Everything that
//! they name must exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::rig::root;

/// Environment variables in the compose file that belong to other programs.
const FOREIGN: [&str; 6] = ["POSTGRES_", "REDISCLI_", "MINIO_", "MC_HOST_", "SE_", "GF_"];

fn deploy() -> PathBuf {
    root().join("deploy")
}

fn text(file: &str) -> String {
    fs::read_to_string(deploy().join(file)).expect(file)
}

fn yaml(file: &str) -> Value {
    serde_saphyr::from_str(&text(file)).expect(file)
}

/// Returns the environment variables of all settings, from the second column of the tables in `docs/settings.md`.
fn settings() -> BTreeSet<String> {
    let page = fs::read_to_string(root().join("docs/settings.md")).expect("docs/settings.md");
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    rows.filter_map(|row| row.split('`').nth(3))
        .map(str::to_owned)
        .collect()
}

/// Runs a program on a file. Panics with the program's output if it refuses the file.
fn checked(program: &Path, arguments: &[&str]) {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}; `make test` brings it", program.display()));
    let printed =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {printed}");
}

#[test]
fn compose_file_names_existing_settings_and_files() {
    let compose = yaml("compose.yaml");
    let services = compose["services"].as_object().expect("services");
    let volumes = compose["volumes"].as_object().expect("volumes");
    let known = settings();
    let mut ours = BTreeSet::new();
    for (name, service) in services {
        let environment = service["environment"].as_object().cloned().unwrap_or_default();
        for variable in environment.keys() {
            if FOREIGN.iter().any(|prefix| variable.starts_with(prefix)) {
                continue;
            }
            assert!(known.contains(variable), "{name}: {variable} is not a setting");
            ours.insert(variable.clone());
        }
        for needed in match &service["depends_on"] {
            Value::Array(list) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            Value::Object(map) => map.keys().cloned().collect::<Vec<_>>(),
            _ => Vec::new(),
        } {
            assert!(services.contains_key(&needed), "{name} needs {needed}");
        }
        if let Some(shared) = service["network_mode"]
            .as_str()
            .and_then(|mode| mode.strip_prefix("service:"))
        {
            assert!(
                services.contains_key(shared),
                "{name} shares the network of {shared}"
            );
        }
        for mount in service["volumes"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            let source = mount.split(':').next().expect("a source");
            match source.strip_prefix("./") {
                Some(file) => assert!(deploy().join(file).is_file(), "{name} mounts {file}"),
                None => assert!(volumes.contains_key(source), "{name} mounts {source}"),
            }
        }
    }
    for variable in [
        "DATABASE_URL",
        "REDIS_URL",
        "ENCRYPTION_KEY",
        "MEDIA_URL",
        "WEBDRIVER_URL",
        "PRACTICE_URL",
        "METRICS_LISTEN",
        "SMTP_URL",
    ] {
        assert!(ours.contains(variable), "{variable} is not set");
    }
    // The example file asks for every secret that the compose file needs, and sets none.
    let example = text("env.example");
    for asked in text("compose.yaml").split("${").skip(1) {
        let name = asked.split([':', '}']).next().expect("a name");
        let is_ours = name.chars().all(|c| c.is_ascii_uppercase() || c == '_') && name != "METRICS_LISTEN";
        assert!(
            !is_ours || example.contains(&format!("{name}=")),
            "env.example lacks {name}"
        );
    }
    // The servers trust the address of HAProxy.
    let proxy = &services["haproxy"]["networks"]["default"]["ipv4_address"];
    assert!(proxy.is_string());
    for server in ["server-1", "server-2"] {
        assert_eq!(
            services[server]["environment"]["TRUSTED_PROXIES"], *proxy,
            "{server}"
        );
    }
    // Processes that share a network have different ports.
    let listens = |name: &str| services[name]["environment"]["METRICS_LISTEN"].clone();
    assert_ne!(listens("worker-1"), listens("worker-2"));
}

#[test]
fn image_runs_as_ordinary_user_with_a_health_check() {
    let dockerfile = text("Dockerfile");
    let last = dockerfile.rsplit("\nFROM ").next().expect("a stage");
    for wanted in [
        "\nUSER vintedbot",
        "\nHEALTHCHECK ",
        "\nENTRYPOINT ",
        "COPY --from=build",
    ] {
        assert!(last.contains(wanted), "{wanted}");
    }
    assert!(!last.contains("cargo"), "the compiler is in the final image");
    let user = last.find("\nUSER ").expect("a user");
    assert!(last.find("\nENTRYPOINT ").expect("an entry") > user);
    for line in last.lines().filter_map(|line| line.strip_prefix("ENV ")) {
        for pair in line.split_whitespace() {
            let name = pair.split('=').next().expect("a name");
            assert!(settings().contains(name), "{name} is not a setting");
        }
    }
}

#[test]
fn haproxy_and_prometheus_accept_their_configuration() {
    let file = |name: &str| deploy().join(name).display().to_string();
    let haproxy = ["/usr/sbin/haproxy", "/usr/local/sbin/haproxy"].map(Path::new);
    let haproxy = haproxy.into_iter().find(|path| path.is_file());
    checked(
        haproxy.unwrap_or(Path::new("haproxy")),
        &["-c", "-f", &file("haproxy.cfg")],
    );
    let promtool = root().join("target/tools/prometheus/usr/bin/promtool");
    checked(&promtool, &["check", "rules", &file("rules.yml")]);
    checked(&promtool, &["check", "config", &file("prometheus.yml")]);
    let cases = root().join("tests/it/rules.yml");
    checked(&promtool, &["test", "rules", &cases.display().to_string()]);
    // Every scrape target is a service that listens on its port.
    let services = yaml("compose.yaml")["services"].clone();
    for job in yaml("prometheus.yml")["scrape_configs"].as_array().expect("jobs") {
        for target in job["static_configs"][0]["targets"].as_array().expect("targets") {
            let (host, port) = target
                .as_str()
                .and_then(|target| target.split_once(':'))
                .expect("an address");
            let listens = services
                .as_object()
                .expect("services")
                .iter()
                .any(|(name, service)| {
                    let is_there = name == host || service["network_mode"] == format!("service:{host}");
                    is_there && service["environment"]["METRICS_LISTEN"] == format!("0.0.0.0:{port}")
                });
            assert!(listens, "{host}:{port}");
        }
    }
}

#[test]
fn dashboard_is_valid_and_every_panel_has_a_query() {
    let board: Value = serde_json::from_str(&text("grafana/board.json")).expect("JSON");
    let panels = board["panels"].as_array().expect("panels");
    assert!(panels.len() >= 10);
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(ids.len(), panels.len(), "ids are unique");
    for panel in panels {
        let targets = panel["targets"].as_array().expect("targets");
        assert!(!targets.is_empty(), "{}", panel["title"]);
        for target in targets {
            assert!(
                target["expr"]
                    .as_str()
                    .is_some_and(|expr| expr.contains("vintedbot_")),
                "{target}"
            );
        }
    }
    for file in ["grafana/datasource.yaml", "grafana/boards.yaml"] {
        assert_eq!(yaml(file)["apiVersion"], 1, "{file}");
    }
}

#[test]
fn systemd_accepts_the_unit() {
    let folder = tempfile::tempdir().expect("a folder");
    // The program is not installed here, and systemd refuses the unit without it.
    let unit = text("vintedbot.service");
    assert!(unit.contains("ExecStart=/usr/local/bin/vintedbot serve"));
    let program = env!("CARGO_BIN_EXE_vintedbot");
    let unit = unit.replace("/usr/local/bin/vintedbot", program);
    let file = folder.path().join("vintedbot.service");
    fs::write(&file, unit).expect("written");
    let systemd = Path::new("/usr/bin/systemd-analyze");
    if systemd.is_file() {
        checked(systemd, &["verify", &file.display().to_string()]);
    } else {
        eprintln!("no systemd here: the unit was only read");
    }
}
