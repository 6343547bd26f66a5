//! Photos: orientation in every integer type, whole files without an end mark, formats that are named.

use anyhow::{Context as _, Result, ensure};
use vintedbot_sdk::Upload;

use super::{Case, Stage, bytes, case, refused_with};

pub fn cases() -> Vec<Case> {
    vec![
        case!("orientation as LONG", |stage| upright(
            stage,
            "01-orientation-long.jpg"
        )),
        case!("orientation as SHORT", |stage| upright(
            stage,
            "01-orientation-short-control.jpg"
        )),
        case!("prefixed EXIF in a PNG", |stage| upright(
            stage,
            "v-png-prefixed.png"
        )),
        case!("GIF with a byte before its trailer", |stage| taken(
            stage,
            "15-gif-nul-before-trailer.gif"
        )),
        case!("JPEG without an end mark", |stage| taken(
            stage,
            "15-no-eoi-then-trailer.jpg"
        )),
        case!("JPEG with padding", |stage| taken(
            stage,
            "15-padding-control.jpg"
        )),
        case!("JPEG that is cut", |stage| cut(stage)),
        case!("HEIC of a rare brand", |stage| heic(stage)),
    ]
}

async fn stored(stage: &Stage, name: &str) -> Result<vintedbot_sdk::v1::Photo> {
    let bytes = bytes(&format!("photos/{name}"))?;
    let uploaded = stage.client.media().upload(Upload::bytes(bytes)).await?;
    uploaded.photo.context("the answer contains no photo")
}

async fn upright(stage: &Stage, name: &str) -> Result<()> {
    let photo = stored(stage, name).await?;
    ensure!(
        (photo.width, photo.height) == (300, 400),
        "stored as {} x {}",
        photo.width,
        photo.height
    );
    Ok(())
}

async fn taken(stage: &Stage, name: &str) -> Result<()> {
    stored(stage, name).await.map(drop)
}

async fn cut(stage: &Stage) -> Result<()> {
    let mut bytes = bytes("photos/01-orientation-short-control.jpg")?;
    bytes.truncate(bytes.len() / 2);
    refused_with(
        stage.client.media().upload(Upload::bytes(bytes)).await,
        &["PHOTO_TRUNCATED"],
    )
}

async fn heic(stage: &Stage) -> Result<()> {
    let bytes = bytes("photos/rare-hevx.heic")?;
    refused_with(
        stage.client.media().upload(Upload::bytes(bytes)).await,
        &["PHOTO_FORMAT_UNSUPPORTED", "HEIC"],
    )
}
