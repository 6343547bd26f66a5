//! Texts of listings: one form of text, signs that are counted as people see them, and titles with emoji.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use vintedbot_sdk::v1::{CreateListingRequest, Listing, ListingInput};

use super::{Case, Stage, case, refused_with, text};

pub fn cases() -> Vec<Case> {
    vec![
        case!("flag of England in a title", |stage| england(stage)),
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

async fn taken(stage: &Stage, name: &str) -> Result<()> {
    created(stage, name).await.map(drop)
}

/// A flag of seven code points counts as one sign, like the flag of two.
async fn england(stage: &Stage) -> Result<()> {
    let request = request(stage, "03-title-england.json")?;
    match stage.client.listings().create(request).await {
        Ok(_) => Ok(()),
        Err(error) => {
            let message = error.to_string();
            ensure!(message.contains('🏴') && !message.contains('7'), "{message}");
            Ok(())
        }
    }
}

async fn line_ends(stage: &Stage, name: &str) -> Result<()> {
    let description = created(stage, name).await?.description;
    ensure!(
        description.contains('\n') && !description.contains('\r'),
        "{description:?}"
    );
    Ok(())
}

async fn composed(stage: &Stage, name: &str) -> Result<()> {
    let title = created(stage, name).await?.title;
    ensure!(
        title.chars().count() == 99,
        "{} characters",
        title.chars().count()
    );
    Ok(())
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
