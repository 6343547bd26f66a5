//! C: pictures that are small in transfer and large in memory.

use std::io::Write as _;
use std::time::Duration;

use anyhow::{Result, ensure};
use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};
use futures::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::time::timeout;
use vintedbot_sdk::{Code, Upload};

use super::Verdict;
use super::stage::Stage;
use crate::photos;

/// The longest time for the answer to one picture.
const ANSWERED_WITHIN: Duration = Duration::from_secs(60);

/// Uploads ten pictures at once whose header claims an impossible size.
pub async fn shapes(stage: &Stage) -> Result<Verdict> {
    let mut pictures = Vec::new();
    for _ in 0..3 {
        pictures.push(png(64_000_000, 1, 8, Colour::Grey, &[])?);
        pictures.push(gif(8_000, 8_000));
    }
    // 384 MB that cannot be decoded row by row.
    pictures.push(png(8_000, 8_000, 16, Colour::Interlaced, &[])?);
    refused(stage, pictures).await
}

/// Uploads a small picture whose colour profile inflates to 2 GiB.
pub async fn profile(stage: &Stage) -> Result<Verdict> {
    let profile = zeros(2 << 30)?;
    let chunk = [&b"profile\0\0"[..], &profile].concat();
    let picture = png(8, 8, 8, Colour::Rgb, &[(*b"iCCP", chunk)])?;
    answered(stage, vec![picture.clone(), picture]).await
}

/// Uploads large pictures at once: one of 384 MB, which can be decoded row by row, and ten of 75 MB, which cannot.
pub async fn large(stage: &Stage) -> Result<Verdict> {
    let mut pictures = vec![png(5_000, 5_000, 8, Colour::Interlaced, &[])?; 10];
    pictures.push(png(8_000, 8_000, 16, Colour::Rgb, &[])?);
    answered(stage, pictures).await
}

/// Uploads pictures with damaged bytes.
pub async fn damaged(stage: &Stage) -> Result<Verdict> {
    let mut random = StdRng::seed_from_u64(1);
    let whole = [
        photos::jpeg(1, 300, 400)?,
        png(64, 64, 8, Colour::Rgb, &[])?,
        gif(64, 64),
    ];
    let mut pictures = Vec::new();
    for number in 0..120 {
        let mut picture = whole[number % whole.len()].clone();
        for _ in 0..random.random_range(1..8) {
            let at = random.random_range(0..picture.len());
            picture[at] = random.random();
        }
        pictures.push(picture);
    }
    answered(stage, pictures).await
}

/// Uploads pictures at once. Each must be refused.
async fn refused(stage: &Stage, pictures: Vec<Vec<u8>>) -> Result<Verdict> {
    upload(stage, pictures, false).await
}

/// Uploads pictures at once. Each must be stored or refused.
async fn answered(stage: &Stage, pictures: Vec<Vec<u8>>) -> Result<Verdict> {
    upload(stage, pictures, true).await
}

async fn upload(stage: &Stage, pictures: Vec<Vec<u8>>, may_be_stored: bool) -> Result<Verdict> {
    ensure!(!pictures.is_empty(), "there are no pictures");
    let client = stage.client().await?;
    let sent = pictures.into_iter().map(|picture| {
        let media = client.media();
        async move { timeout(ANSWERED_WITHIN, media.upload(Upload::bytes(picture))).await }
    });
    for answer in join_all(sent).await {
        match answer {
            Ok(Ok(_)) if may_be_stored => {}
            Ok(Ok(_)) => {
                return Ok(Verdict::Succeeded(
                    "a picture that must be refused is stored".to_owned(),
                ));
            }
            Ok(Err(error))
                if matches!(
                    error.code(),
                    Some(Code::InvalidArgument | Code::ResourceExhausted)
                ) => {}
            Ok(Err(error)) => return Ok(Verdict::Succeeded(format!("a picture fails: {error}"))),
            Err(_elapsed) => {
                return Ok(Verdict::Succeeded(
                    "a picture is processed for a minute".to_owned(),
                ));
            }
        }
    }
    Ok(Verdict::Held)
}

#[derive(Clone, Copy)]
enum Colour {
    Grey,
    Rgb,
    /// RGB, interlaced in seven passes.
    Interlaced,
}

/// Returns a black PNG (PNG specification, third edition) with additional chunks after its header.
fn png(width: u32, height: u32, depth: u8, colour: Colour, chunks: &[([u8; 4], Vec<u8>)]) -> Result<Vec<u8>> {
    // The first column and row of each pass, and the distances to the next ones.
    const WHOLE: [[u32; 4]; 1] = [[0, 0, 1, 1]];
    const ADAM7: [[u32; 4]; 7] = [
        [0, 0, 8, 8],
        [4, 0, 8, 8],
        [0, 4, 4, 8],
        [2, 0, 4, 4],
        [0, 2, 2, 4],
        [1, 0, 2, 2],
        [0, 1, 1, 2],
    ];
    let (kind, samples, interlace, passes) = match colour {
        Colour::Grey => (0, 1, 0, &WHOLE[..]),
        Colour::Rgb => (2, 3, 0, &WHOLE[..]),
        Colour::Interlaced => (2, 3, 1, &ADAM7[..]),
    };
    let bytes = passes.iter().map(|[column, row, right, down]| {
        let columns = u64::from((width - column).div_ceil(*right));
        let rows = u64::from(height.saturating_sub(*row).div_ceil(*down));
        rows * (columns * samples * u64::from(depth) / 8 + 1)
    });
    let mut head = [width.to_be_bytes(), height.to_be_bytes()].concat();
    head.extend([depth, kind, 0, 0, interlace]);
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    chunk(&mut png, *b"IHDR", &head)?;
    for (name, data) in chunks {
        chunk(&mut png, *name, data)?;
    }
    chunk(&mut png, *b"IDAT", &zeros(bytes.sum())?)?;
    chunk(&mut png, *b"IEND", &[])?;
    Ok(png)
}

fn chunk(png: &mut Vec<u8>, name: [u8; 4], data: &[u8]) -> Result<()> {
    png.extend(u32::try_from(data.len())?.to_be_bytes());
    png.extend(name);
    png.extend(data);
    let mut sum = Crc::new();
    sum.update(&name);
    sum.update(data);
    png.extend(sum.sum().to_be_bytes());
    Ok(())
}

/// Returns `count` zero bytes, compressed.
fn zeros(count: u64) -> Result<Vec<u8>> {
    const PIECE: usize = 1 << 20;
    let piece = vec![0; PIECE];
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    let mut left = usize::try_from(count)?;
    while left > 0 {
        let length = left.min(PIECE);
        encoder.write_all(&piece[..length])?;
        left -= length;
    }
    Ok(encoder.finish()?)
}

/// Returns the shortest GIF of this size: a header, one frame without image data, and the trailer.
fn gif(width: u16, height: u16) -> Vec<u8> {
    let size = [width.to_le_bytes(), height.to_le_bytes()].concat();
    let mut gif = b"GIF89a".to_vec();
    gif.extend(&size);
    gif.extend([0x80, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, b',', 0, 0, 0, 0]);
    gif.extend(&size);
    gif.extend([0, 2, 2, 0x44, 1, 0, b';']);
    gif
}
