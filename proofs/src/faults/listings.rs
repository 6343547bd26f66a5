//! Texts of listings: one form of text, signs that are counted as people see them, and titles with emoji.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use vintedbot_sdk::v1::{CreateListingRequest, Listing, ListingInput};

use super::{Case, Stage, case, refused_with, text};

pub fn cases() -> Vec<Case> {
    vec![
        case!("flag of England in a title", |stage| taken(
            stage,
            "03-title-england.json"
        )),
        case!("one flag in a title", |stage| taken(
            stage,
            "03-title-one-flag-control.json"
        )),
        case!("three hearts in a title", |stage| taken(
            stage,
            "03-title-three-hearts-control.json"
        )),
        case!("CR LF in a description", |stage| line_ends(
            stage,
            "04-description-crlf.json"
        )),
        case!("LF in a description", |stage| line_ends(
            stage,
            "04-description-lf-control.json"
        )),
        case!("CR in a description", |stage| described(
            stage,
            "Porté deux fois.\rTaille 38.",
            "Porté deux fois.\nTaille 38."
        )),
        case!("byte order mark in a description", |stage| described(
            stage,
            "\u{feff}Porté deux fois.",
            "Porté deux fois."
        )),
        case!("line break in a title", |stage| refused(
            stage,
            "Gilet\nen laine",
            "U+000A"
        )),
        case!("title of 101 characters", |stage| too_long(stage)),
        case!("decomposed title", |stage| composed(stage, "16-title-nfd.json")),
        case!("composed title", |stage| composed(
            stage,
            "16-title-nfc-control.json"
        )),
        case!("byte order mark and tab", |stage| cleaned(
            stage,
            "\u{feff}Gilet\ten laine",
            "Gilet en laine"
        )),
        case!("bidirectional controls", |stage| cleaned(
            stage,
            "Gilet \u{202e}en laine\u{202c}",
            "Gilet en laine"
        )),
        case!("emoji in a German title", |stage| german_emoji(stage)),
        case!("umlauts in a German title", |stage| german_umlauts(stage)),
    ]
}

fn request(stage: &Stage, name: &str) -> Result<CreateListingRequest> {
    let json: Value = serde_json::from_str(&text(&format!("listings/{name}"))?)?;
    let field = |name: &str| json["listing"][name].as_str().unwrap_or_default().to_owned();
    Ok(titled(
        &stage.seller.account.id,
        field("title"),
        field("description"),
    ))
}

fn titled(account_id: &str, title: String, description: String) -> CreateListingRequest {
    CreateListingRequest {
        account_id: account_id.to_owned(),
        listing: Some(ListingInput {
            title,
            description,
            ..Default::default()
        }),
        ..Default::default()
    }
}

async fn created(stage: &Stage, name: &str) -> Result<Listing> {
    Ok(stage.client.listings().create(request(stage, name)?).await?)
}

/// The title and the description of an input.
fn texts(stage: &Stage, name: &str) -> Result<(String, String)> {
    let listing = request(stage, name)?
        .listing
        .context("the input has no listing")?;
    Ok((listing.title, listing.description))
}

async fn taken(stage: &Stage, name: &str) -> Result<()> {
    let title = created(stage, name).await?.title;
    ensure!(title == texts(stage, name)?.0, "{title:?}");
    Ok(())
}

async fn line_ends(stage: &Stage, name: &str) -> Result<()> {
    let description = created(stage, name).await?.description;
    let expected = texts(stage, name)?.1.replace("\r\n", "\n");
    ensure!(
        description == expected && expected.contains('\n'),
        "{description:?}"
    );
    Ok(())
}

async fn composed(stage: &Stage, name: &str) -> Result<()> {
    let title = created(stage, name).await?.title;
    ensure!(title == texts(stage, "16-title-nfc-control.json")?.0, "{title:?}");
    ensure!(
        title.chars().count() == 99,
        "{} characters",
        title.chars().count()
    );
    Ok(())
}

async fn described(stage: &Stage, description: &str, expected: &str) -> Result<()> {
    let request = titled(
        &stage.seller.account.id,
        "Gilet en laine".to_owned(),
        description.to_owned(),
    );
    let description = stage.client.listings().create(request).await?.description;
    ensure!(description == expected, "{description:?}");
    Ok(())
}

async fn too_long(stage: &Stage) -> Result<()> {
    refused(stage, &"a".repeat(101), "100").await
}

async fn refused(stage: &Stage, title: &str, word: &str) -> Result<()> {
    let request = titled(&stage.seller.account.id, title.to_owned(), String::new());
    refused_with(stage.client.listings().create(request).await, &["title", word])
}

async fn cleaned(stage: &Stage, title: &str, expected: &str) -> Result<()> {
    let request = titled(&stage.seller.account.id, title.to_owned(), String::new());
    let title = stage.client.listings().create(request).await?.title;
    ensure!(title == expected, "{title:?}");
    Ok(())
}

async fn german_emoji(stage: &Stage) -> Result<()> {
    let request = titled(&stage.german.id, "Strickjacke ✨".to_owned(), String::new());
    refused_with(stage.client.listings().create(request).await, &["title", "✨"])
}

async fn german_umlauts(stage: &Stage) -> Result<()> {
    let title = "Schöne Jacke, Größe 38";
    let request = titled(&stage.german.id, title.to_owned(), String::new());
    let listing = stage.client.listings().create(request).await;
    ensure!(listing.context("it is refused")?.title == title);
    Ok(())
}
