//! Names of the catalogue: only exact names and known synonyms are resolved.

use anyhow::{Context as _, Result, bail, ensure};
use vintedbot_sdk::v1::resolve_names_request::Query;
use vintedbot_sdk::v1::resolve_names_response::result::Outcome;
use vintedbot_sdk::v1::{NameKind, ResolvedName};

use super::{Case, Stage, case};

pub fn cases() -> Vec<Case> {
    vec![
        case!("colour: or", |stage| resolved(
            stage,
            NameKind::Color,
            "or",
            "Doré"
        )),
        case!("colour: decomposed Crème", |stage| resolved(
            stage,
            NameKind::Color,
            "Cre\u{300}me",
            "Crème"
        )),
        case!("condition: Sehr gut", |stage| resolved(
            stage,
            NameKind::Condition,
            "Sehr gut",
            "Très bon état"
        )),
        case!("package size: Small", |stage| resolved(
            stage,
            NameKind::PackageSize,
            "Small",
            "Petit"
        )),
        case!("brand: h&m", |stage| resolved(
            stage,
            NameKind::Brand,
            "h&m",
            "H&M"
        )),
        case!("colour: orange", |stage| resolved(
            stage,
            NameKind::Color,
            "orange",
            "Orange"
        )),
        case!("brand: Petit", |stage| unresolved(
            stage,
            NameKind::Brand,
            "Petit"
        )),
        case!("brand: Nikee", |stage| unresolved(
            stage,
            NameKind::Brand,
            "Nikee"
        )),
        case!("brand: nike", |stage| resolved(
            stage,
            NameKind::Brand,
            "nike",
            "Nike"
        )),
        case!("brand: Sans marque", |stage| no_brand(stage, "Sans marque")),
        case!("brand: sans MARQUE", |stage| no_brand(stage, "sans MARQUE")),
    ]
}

/// The outcome for a name and the entry that it was resolved to.
async fn resolve(stage: &Stage, kind: NameKind, name: &str) -> Result<(Outcome, Option<ResolvedName>)> {
    let query = Query {
        kind: kind.into(),
        name: name.to_owned(),
        category_id: None,
    };
    let results = stage
        .client
        .catalog()
        .resolve(&stage.seller.account.id, [query])
        .await?;
    let result = results
        .into_iter()
        .next()
        .context("the answer contains no result")?;
    Ok((result.outcome(), result.r#match))
}

async fn resolved(stage: &Stage, kind: NameKind, name: &str, expected: &str) -> Result<()> {
    let (outcome, found) = resolve(stage, kind, name).await?;
    match found {
        Some(found) if found.name == expected => Ok(()),
        found => bail!("{outcome:?}: {found:?}"),
    }
}

async fn unresolved(stage: &Stage, kind: NameKind, name: &str) -> Result<()> {
    let (outcome, found) = resolve(stage, kind, name).await?;
    ensure!(outcome != Outcome::Resolved, "it became {found:?}");
    Ok(())
}

/// The site's own entry for items without a brand has the id 1.
async fn no_brand(stage: &Stage, name: &str) -> Result<()> {
    let (outcome, found) = resolve(stage, NameKind::Brand, name).await?;
    ensure!(
        found.as_ref().is_some_and(|found| found.id == 1),
        "{outcome:?}: {found:?}"
    );
    Ok(())
}
