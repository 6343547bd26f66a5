//! Architecture rules that the compiler does not check: dependencies between crates, and forbidden text in sources.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use toml::Table;

use crate::rig::root;

/// The crates that each crate may import outside its tests.
const ALLOWED_IMPORTS: [(&str, &[&str]); 11] = [
    (
        "vintedbot",
        &[
            "connector",
            "domain",
            "marketplace",
            "migrations",
            "practice",
            "server",
            "worker",
        ],
    ),
    ("vintedbot-connector", &["marketplace"]),
    ("vintedbot-domain", &["marketplace"]),
    ("vintedbot-marketplace", &[]),
    ("vintedbot-migrations", &[]),
    ("vintedbot-practice", &[]),
    // A crate for developers that is never shipped.
    (
        "vintedbot-proofs",
        &[
            "connector",
            "domain",
            "marketplace",
            "migrations",
            "practice",
            "proto",
            "sdk",
            "server",
            "worker",
        ],
    ),
    ("vintedbot-proto", &[]),
    ("vintedbot-sdk", &["proto"]),
    // The domain's API uses types of the marketplace.
    ("vintedbot-server", &["domain", "marketplace", "proto"]),
    ("vintedbot-worker", &["connector", "domain", "marketplace"]),
];

/// Returns the manifests of the workspace, by package name.
fn manifests() -> BTreeMap<String, Table> {
    let workspace = manifest(&root().join("Cargo.toml"));
    let members = workspace["workspace"]["members"].as_array().expect("members");
    let members = members.iter().map(|member| member.as_str().expect("a path"));
    std::iter::once(".")
        .chain(members)
        .map(|member| {
            let manifest = manifest(&root().join(member).join("Cargo.toml"));
            let name = manifest["package"]["name"].as_str().expect("a name").to_owned();
            (name, manifest)
        })
        .collect()
}

fn manifest(path: &Path) -> Table {
    let text = fs::read_to_string(path).expect("a manifest");
    text.parse().expect("TOML")
}

/// Returns the dependencies of a crate outside its tests.
fn dependencies(manifest: &Table) -> impl Iterator<Item = &str> {
    ["dependencies", "build-dependencies"]
        .into_iter()
        .filter_map(|kind| manifest.get(kind)?.as_table())
        .flat_map(|table| table.keys().map(String::as_str))
}

#[test]
fn crates_import_only_allowed_crates() {
    let allowed: BTreeMap<_, _> = ALLOWED_IMPORTS.into_iter().collect();
    let manifests = manifests();
    let names: Vec<_> = manifests.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        allowed.keys().copied().collect::<Vec<_>>(),
        "the crates of the workspace"
    );
    let mut wrong = Vec::new();
    for (name, manifest) in &manifests {
        let own = dependencies(manifest).filter_map(|dependency| dependency.strip_prefix("vintedbot-"));
        wrong.extend(
            own.filter(|short| !allowed[name.as_str()].contains(short))
                .map(|short| format!("{name} -> {short}")),
        );
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn settings_mail_and_browsers_are_used_in_one_crate_each() {
    let homes = [
        ("figment", "vintedbot"),
        ("lettre", "vintedbot"),
        ("thirtyfour", "vintedbot-connector"),
        ("apalis", "vintedbot-worker"),
        ("apalis-redis", "vintedbot-worker"),
        ("redis", "vintedbot-worker"),
    ];
    for (name, manifest) in &manifests() {
        for dependency in dependencies(manifest) {
            for (library, home) in homes {
                assert!(dependency != library || name == home, "{name} -> {library}");
            }
        }
    }
}

#[test]
fn every_crate_obeys_the_lints_of_the_workspace() {
    // Generated code is exempt.
    for (name, manifest) in manifests().iter().filter(|(name, _)| *name != "vintedbot-proto") {
        assert_eq!(manifest["lints"]["workspace"].as_bool(), Some(true), "{name}");
    }
}

#[test]
fn clippy_forbids_calls_reserved_for_one_place() {
    let rules = fs::read_to_string(root().join("clippy.toml")).expect("clippy.toml");
    for method in [
        "vintedbot_marketplace::ListingFormDriver::save_draft",
        "vintedbot_marketplace::ListingFormDriver::publish",
        "sea_orm::TransactionTrait::begin",
        "std::time::SystemTime::now",
        "uuid::Uuid::now_v7",
        "rand::rng",
        "reqwest::Client::builder",
    ] {
        assert!(rules.contains(&format!("\"{method}\"")), "{method}");
    }
    let exempt = sources()
        .into_iter()
        .filter(|(path, text)| path.starts_with("worker/src") && text.contains("clippy::disallowed_methods"));
    let exempt: Vec<_> = exempt.map(|(path, _)| path).collect();
    assert_eq!(
        exempt,
        [PathBuf::from("worker/src/effects.rs")],
        "who may write on the marketplace"
    );
}

#[test]
fn nothing_hides_that_a_program_drives_the_browser() {
    // The names are assembled here, so that this file does not match itself.
    let tricks = [
        ["Automation", "Controlled"],
        ["exclude", "Switches"],
        ["useAutomation", "Extension"],
        ["navigator.", "webdriver"],
        ["--user", "-agent"],
        ["setUser", "AgentOverride"],
        ["undetected", "_chromedriver"],
        ["addScript", "ToEvaluateOnNewDocument"],
        ["puppeteer", "-extra"],
        ["--headless=", "old"],
        ["disable-web", "-security"],
    ]
    .map(|parts| parts.concat().to_lowercase());
    let mut found = Vec::new();
    for (path, text) in sources() {
        let text = text.to_lowercase();
        found.extend(
            tricks
                .iter()
                .filter(|trick| text.contains(*trick))
                .map(|trick| (path.clone(), trick)),
        );
    }
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn browser_proxy_is_set_in_one_place() {
    let switch = ["--proxy", "-server"].concat();
    let found = sources().into_iter().filter(|(_, text)| text.contains(&switch));
    let found: Vec<_> = found.map(|(path, _)| path).collect();
    let home = PathBuf::from("connector/src/browser/launch.rs");
    assert!(found.iter().all(|path| *path == home), "{found:?}");
}

/// The only source that compares the workspace of a row.
const TENANT: &str = "domain/src/store/tenant.rs";

#[test]
fn workspace_of_a_row_is_compared_in_one_place() {
    let comparisons = [
        "WorkspaceId.eq(",
        "workspace_id ==",
        "== workspace_id",
        "== caller.workspace_id",
    ];
    let mut found = Vec::new();
    for (path, text) in sources() {
        if path.starts_with("domain/src") && path != Path::new(TENANT) {
            let own = comparisons.iter().filter(|comparison| text.contains(*comparison));
            found.extend(own.map(|comparison| (path.clone(), *comparison)));
        }
    }
    assert!(found.is_empty(), "use of_workspace() instead: {found:?}");
}

#[test]
fn every_entity_with_a_workspace_is_a_tenant() {
    let tenant = fs::read_to_string(root().join(TENANT)).expect("the source");
    let (_, listed) = tenant.split_once("tenants!(").expect("the list");
    let (listed, _) = listed.split_once(");").expect("its end");
    let listed = listed.split(',').map(str::trim).filter(|name| !name.is_empty());
    let listed: BTreeSet<_> = listed.map(str::to_owned).collect();
    let entities = sources().into_iter().filter(|(path, text)| {
        path.starts_with("domain/src/store/entities") && text.contains("pub workspace_id:")
    });
    let entities: BTreeSet<_> = entities
        .filter_map(|(path, _)| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    assert_eq!(listed, entities);
}

/// Returns every source file of the repository with its text, by its path from the root.
fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    collect(root(), &mut found);
    assert!(found.len() > 100, "the sources were not found");
    found.sort();
    found
}

fn collect(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry"))
    {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            let is_made = ["target", "node_modules", "dist", "dist-test", "data"].contains(&name.as_str());
            if !is_made && !name.starts_with('.') {
                collect(&path, found);
            }
        } else if ["rs", "ts", "js", "toml", "json"]
            .iter()
            .any(|ending| name.ends_with(&format!(".{ending}")))
            && name != "package-lock.json"
        {
            let text = fs::read_to_string(&path).expect("text");
            found.push((path.strip_prefix(root()).expect("within").to_owned(), text));
        }
    }
}
