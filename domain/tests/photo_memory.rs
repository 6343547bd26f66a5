//! Measures the memory that photo processing takes. This is a separate binary because it measures the whole process.

#![cfg(target_os = "linux")]

use std::io::Write as _;

use bytes::Bytes;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use vintedbot_domain::media::pipeline::{Error, Limits, process_off_thread, work};

/// Memory outside the budget: freed memory that the allocator retains, and threads.
const SLACK: u64 = 48 << 20;

/// Returns resident bytes: `VmRSS` is the current value, `VmHWM` the peak since [`forget`].
fn resident(what: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status
        .lines()
        .find(|line| line.starts_with(what))
        .expect("the line exists");
    let kibibytes: u64 = line
        .split_whitespace()
        .nth(1)
        .and_then(|number| number.parse().ok())
        .expect("a number");
    kibibytes << 10
}

/// Resets the peak (proc_pid_clear_refs(5)).
fn forget() {
    std::fs::write("/proc/self/clear_refs", "5").expect("is allowed to the process itself");
}

fn png(width: u32, height: u32, depth: png::BitDepth, color: png::ColorType) -> Bytes {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(color);
    encoder.set_depth(depth);
    encoder.set_compression(png::Compression::Fastest);
    let mut writer = encoder.write_header().expect("writes");
    let mut rows = writer.stream_writer().expect("writes");
    let samples = if depth == png::BitDepth::Sixteen { 2 } else { 1 } * color.samples();
    let row: Vec<u8> = (0..width as usize * samples).map(|at| (at % 251) as u8).collect();
    for _ in 0..height {
        rows.write_all(&row).expect("writes");
    }
    rows.finish().expect("writes");
    drop(writer);
    bytes.into()
}

fn written(width: u32, height: u32, format: ImageFormat, alpha: bool) -> Bytes {
    let picture = RgbImage::from_fn(width, height, |x, y| Rgb([x as u8, y as u8, (x ^ y) as u8]));
    let picture = DynamicImage::ImageRgb8(picture);
    let picture = if alpha {
        DynamicImage::ImageRgba8(picture.to_rgba8())
    } else {
        picture
    };
    let mut out = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut out, format).expect("encodes");
    out.into_inner().into()
}

/// Returns a PNG of 8 x 8 pixels with a colour profile of `length` zero bytes.
fn with_profile(length: usize) -> Bytes {
    let text = png::text_metadata::ZTXtChunk::new("k", "\0".repeat(length));
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 8, 8);
    encoder.set_color(png::ColorType::Grayscale);
    let mut writer = encoder.write_header().expect("writes");
    // A profile has the same layout as a text chunk: name, NUL, compression method, compressed data.
    let mut stored = Vec::new();
    let mut only = png::Encoder::new(&mut stored, 8, 8)
        .write_header()
        .expect("writes");
    only.write_text_chunk(&text).expect("writes");
    drop(only);
    let at = stored
        .windows(4)
        .position(|name| name == b"zTXt")
        .expect("is there");
    let size = u32::from_be_bytes(stored[at - 4..at].try_into().expect("four")) as usize;
    writer
        .write_chunk(png::chunk::iCCP, &stored[at + 4..at + 4 + size])
        .expect("writes");
    writer.write_image_data(&[128; 64]).expect("writes");
    drop(writer);
    bytes.into()
}

/// Processes the pictures concurrently. Returns the growth of resident memory in bytes and the result for each picture.
fn together(pictures: &[Bytes]) -> (u64, Vec<Result<(), Error>>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("builds");
    forget();
    let before = resident("VmRSS");
    let works = pictures
        .iter()
        .map(|picture| process_off_thread(picture.clone(), Limits::default()));
    let done = runtime.block_on(futures::future::join_all(works));
    let most = resident("VmHWM").saturating_sub(before);
    (most, done.into_iter().map(|result| result.map(drop)).collect())
}

#[test]
fn concurrent_photos_stay_within_the_memory_budget() {
    let large = [
        png(8_000, 8_000, png::BitDepth::Sixteen, png::ColorType::Rgba),
        png(8_000, 8_000, png::BitDepth::Eight, png::ColorType::Rgb),
        written(4_000, 3_000, ImageFormat::Jpeg, false),
        written(2_000, 2_000, ImageFormat::WebP, true),
    ];
    for picture in &large {
        let (most, done) = together(std::slice::from_ref(picture));
        println!("alone: {} MiB, {done:?}", most >> 20);
        assert!(most <= work::MEMORY, "{most} bytes");
        assert_eq!(done, [Ok(())]);
    }
    let (most, done) = together(&[with_profile(256 << 20)]);
    println!("a profile of 256 MiB: {} MiB", most >> 20);
    assert!(most <= 64 << 20, "{most} bytes");
    assert_eq!(done, [Ok(())]);
    let all: Vec<_> = large[2..].iter().cycle().take(8).cloned().collect();
    let (most, done) = together(&all);
    println!("{} together: {} MiB", all.len(), most >> 20);
    assert!(most <= work::MEMORY + SLACK, "{most} bytes");
    assert!(done.iter().all(Result::is_ok), "{done:?}");
}
