//! Photos: orientation in every integer type, whole files without an end mark, formats that are named.

use anyhow::{Context as _, Result, ensure};
use vintedbot_sdk::Upload;
use vintedbot_sdk::v1::Photo;

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
        case!("JPEG that is cut", |stage| cut(
            stage,
            "01-orientation-short-control.jpg"
        )),
        case!("PNG that is cut", |stage| cut(stage, "v-png-prefixed.png")),
        case!("GIF that is cut", |stage| cut(
            stage,
            "15-gif-nul-before-trailer.gif"
        )),
        case!("text as a photo", |stage| not_a_photo(stage)),
        case!("same photo twice", |stage| twice(stage)),
        case!("HEIC of a rare brand", |stage| heic(stage)),
    ]
}

async fn stored(stage: &Stage, name: &str) -> Result<Photo> {
    let bytes = bytes(&format!("photos/{name}"))?;
    let uploaded = stage.client.media().upload(Upload::bytes(bytes)).await?;
    uploaded.photo.context("the answer contains no photo")
}

async fn upright(stage: &Stage, name: &str) -> Result<()> {
    shows(&stored(stage, name).await?, (300, 400)).await
}

async fn taken(stage: &Stage, name: &str) -> Result<()> {
    shows(&stored(stage, name).await?, (400, 300)).await
}

/// Fails unless the stored picture has this size and is upright and not mirrored: every input shows a red bar at the
/// top and a blue disc at the upper left.
async fn shows(photo: &Photo, size: (u32, u32)) -> Result<()> {
    let bytes = reqwest::get(&photo.url)
        .await?
        .error_for_status()?
        .bytes()
        .await?;
    let picture = image::load_from_memory(&bytes)?.to_rgb8();
    ensure!(
        picture.dimensions() == size
            && i64::from(photo.width) == i64::from(size.0)
            && i64::from(photo.height) == i64::from(size.1),
        "stored as {:?}, described as {} x {}",
        picture.dimensions(),
        photo.width,
        photo.height
    );
    let [red, _, other] = picture.get_pixel(size.0 / 2, 8).0;
    ensure!(red > 150 && other < 90, "there is no red bar at the top");
    let [other, _, blue] = picture.get_pixel(56, 75).0;
    ensure!(
        blue > 150 && other < 90,
        "there is no blue disc at the upper left"
    );
    Ok(())
}

async fn not_a_photo(stage: &Stage) -> Result<()> {
    let bytes = b"hello, world".to_vec();
    refused_with(
        stage.client.media().upload(Upload::bytes(bytes)).await,
        &["PHOTO_NOT_AN_IMAGE"],
    )
}

async fn twice(stage: &Stage) -> Result<()> {
    let photo = stored(stage, "15-padding-control.jpg").await?;
    let bytes = bytes("photos/15-padding-control.jpg")?;
    let again = stage.client.media().upload(Upload::bytes(bytes)).await?;
    ensure!(again.existing, "it is stored a second time");
    ensure!(again.photo.is_some_and(|again| again.id == photo.id));
    Ok(())
}

async fn cut(stage: &Stage, name: &str) -> Result<()> {
    let mut bytes = bytes(&format!("photos/{name}"))?;
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
