//! Generates the pages of `docs/api` from the proto files and compares them with the committed ones. With `UPDATE=1` in
//! the environment, as in `make generate`, it writes them instead. Also checks their links and those of `docs/rest.md`.

mod contract;
mod pages;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use pages::{Reference, markdown};

/// The folder of the reference, in the repository.
const FOLDER: &str = "docs/api";
const REST: &str = "docs/rest.md";
const HINT: &str = "run `make generate`";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn reference() -> Result<Reference, Box<dyn Error>> {
    let compiler = contract::compile(Path::new(env!("CARGO_MANIFEST_DIR")))?;
    Ok(Reference::new(compiler.descriptor_pool()))
}

/// The generated pages. Generated once, because an update of the committed pages must not run at the same time.
static PAGES: LazyLock<BTreeMap<String, String>> =
    LazyLock::new(|| generate().expect("the proto files compile, and the index has its marks"));

/// Generates the pages. The index keeps its hand-written part.
fn generate() -> Result<BTreeMap<String, String>, Box<dyn Error>> {
    let index = fs::read_to_string(root().join(FOLDER).join(pages::INDEX))?;
    reference()?.pages(&index)
}

#[test]
fn reference_matches_the_proto_files() -> Result<(), Box<dyn Error>> {
    let folder = root().join(FOLDER);
    let pages = &*PAGES;
    if contract::is_update() {
        for (name, page) in pages {
            fs::write(folder.join(name), page)?;
        }
    }
    for (name, page) in pages {
        let committed = fs::read_to_string(folder.join(name)).unwrap_or_default();
        assert!(
            committed == *page,
            "{FOLDER}/{name} has drifted from the proto files: {HINT}"
        );
    }
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if pages.contains_key(&*name) {
            continue;
        }
        assert!(contract::is_update(), "{FOLDER}/{name} is not generated: {HINT}");
        fs::remove_file(&path)?;
    }
    Ok(())
}

#[test]
fn links_of_reference_and_rest_page_resolve() -> Result<(), Box<dyn Error>> {
    let mut pages = BTreeMap::from([(REST.to_owned(), fs::read_to_string(root().join(REST))?)]);
    for (name, page) in &*PAGES {
        pages.insert(format!("{FOLDER}/{name}"), page.clone());
    }
    for (name, page) in &pages {
        let headings = markdown::anchors(page);
        let unique: BTreeSet<_> = headings.iter().collect();
        assert!(unique.len() == headings.len(), "{name} has two equal headings");
        for link in markdown::links(page).filter(|link| !link.starts_with("https://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let file = resolved(name, file);
            let exists = pages.contains_key(&file) || root().join(&file).exists();
            assert!(exists, "{name} links to {link}");
            if !anchor.is_empty() {
                let generated = pages.get(&file).cloned().map(Ok);
                let page = generated.unwrap_or_else(|| fs::read_to_string(root().join(&file)))?;
                let is_known = markdown::anchors(&page).iter().any(|known| known == anchor);
                assert!(is_known, "{name} links to {link}");
            }
        }
    }
    Ok(())
}

/// Returns the path in the repository of a link on a page. An empty link leads to the page itself.
fn resolved(page: &str, link: &str) -> String {
    let mut path: Vec<_> = page.split('/').collect();
    if !link.is_empty() {
        path.pop();
    }
    for part in link.split('/').filter(|part| !part.is_empty()) {
        if part == ".." {
            path.pop();
        } else {
            path.push(part);
        }
    }
    path.join("/")
}

#[test]
fn rest_page_links_calls_of_every_service() -> Result<(), Box<dyn Error>> {
    let reference = reference()?;
    let page = fs::read_to_string(root().join(REST))?;
    let mut in_tables = BTreeSet::new();
    for line in page.lines() {
        let words = line.split(|char: char| !char.is_alphanumeric() && char != '/');
        for (service, method) in words.filter_map(|word| word.split_once('/')) {
            if !service.ends_with("Service") {
                continue;
            }
            let target = reference.target(&format!("{service}.{method}"));
            let target = target.filter(|target| target.contains('#'));
            let target = target.ok_or_else(|| format!("there is no call {service}/{method}"))?;
            if line.starts_with('|') {
                let link = format!("[{service}/{method}](api/{target})");
                assert!(line.contains(&link), "{REST} must contain {link}");
                in_tables.insert(service.to_owned());
            }
        }
    }
    for service in reference.services() {
        let name = service.name();
        assert!(in_tables.contains(name), "{REST} has no call of {name}");
    }
    Ok(())
}

#[test]
fn comment_is_escaped_outside_of_code() {
    let target = |name: &str| (name == "ListThreads").then(|| "inbox-service.md#listthreads".to_owned());
    let cell = |comment| markdown::cell(comment, &target);
    assert_eq!(
        cell(" \"pull*\" or\n <b> & [a_b] _x_"),
        r#""pull\*" or \<b\> \& \[a_b\] \_x\_"#
    );
    assert_eq!(cell("`a*|b` or c|d"), r"`a*\|b` or c\|d");
    let link = "[ListThreads](inbox-service.md#listthreads)";
    assert_eq!(cell("See ListThreads."), format!("See {link}."));
    assert_eq!(cell("One.\n\nTwo."), "One.<br><br>Two.");

    let prose = |comment| markdown::prose(comment, &target);
    let list = "Terms:\n\n- one more\n- two";
    assert_eq!(prose("Terms:\n\n- one\n  more\n- two"), list);
    assert_eq!(prose("7. July"), r"7\. July");
}
