//! Files that lack their end mark or have other bytes there, and files that lack a part of the picture.

use super::*;

/// The most bytes of a file after the data of its last row: the end mark, checksums, the end of the compressed data.
pub(super) const MARKS: usize = 24;

fn judged(bytes: &[u8]) -> Result<Processed, Error> {
    process(bytes, &Limits::default())
}

/// Returns the files of every kind whose name contains one of `names`.
fn kinds(names: &[&str]) -> Vec<(&'static str, Vec<u8>)> {
    let mut kinds = every_kind();
    kinds.retain(|(kind, _)| names.iter().any(|name| kind.contains(name)));
    kinds
}

/// Returns a baseline JPEG with one scan for each component.
fn jpeg_of_three_scans() -> Vec<u8> {
    let bytes = jpeg(&scene(1, 61, 43), 90, Subsampling::S444, false);
    let scan = bytes
        .windows(2)
        .position(|pair| pair == [0xFF, 0xDA])
        .expect("a scan");
    let mut out = bytes[..scan].to_vec();
    for id in [3, 2, 1] {
        let selector = if id == 1 { 0x00 } else { 0x11 };
        out.extend([0xFF, 0xDA, 0, 8, 1, id, selector, 0, 63, 0]);
        out.extend(flat_scan(id, 8 * 6));
    }
    out.extend([0xFF, 0xD9]);
    out
}

/// Returns the data of a scan of `blocks` grey blocks, in the codes of the standard tables (ITU-T T.81, annex K.3).
fn flat_scan(component: u8, blocks: usize) -> Vec<u8> {
    // No difference to the last block, then the end of the block.
    let codes = if component == 1 { "001010" } else { "0000" };
    let mut bits = codes.repeat(blocks);
    while bits.len() % 8 != 0 {
        bits.push('1');
    }
    let byte = |at: usize| u8::from_str_radix(&bits[at..at + 8], 2).expect("eight digits");
    (0..bits.len()).step_by(8).map(byte).collect()
}

#[test]
fn whole_picture_with_a_fault_at_its_end_is_accepted() {
    for (name, bytes) in [
        ("GIF", fault!("15-gif-nul-before-trailer.gif")),
        ("JPEG", fault!("15-no-eoi-then-trailer.jpg")),
        ("padded JPEG", fault!("15-padding-control.jpg")),
    ] {
        let photo = done(bytes);
        assert_eq!((photo.width, photo.height), (400, 300), "{name}");
    }
}

#[test]
fn jpeg_without_end_mark_is_accepted() {
    for (kind, bytes) in kinds(&["JPEG"]) {
        let whole = done(&bytes);
        let bare = bytes.strip_suffix(&[0xFF, 0xD9]).expect("an end mark");
        for (name, end) in [
            ("nothing", &b""[..]),
            ("half a mark", b"\xFF"),
            ("zeros", &[0; 600]),
            ("text", b"\0\x001\nSEFH of a phone"),
            (
                "another picture",
                &jpeg(&scene(2, 16, 16), 90, Subsampling::S420, true),
            ),
            ("a segment", b"\xFF\xE1\0\x08trailer"),
        ] {
            if kind == "CMYK JPEG" && name == "another picture" {
                // The decoder of `image` reads on into the other picture.
                continue;
            }
            let photo = judged(&[bare, end].concat());
            assert_eq!(photo.as_ref(), Ok(&whole), "{kind} with {name} at its end");
        }
    }
}

#[test]
fn jpeg_of_several_scans_needs_all_of_them() {
    let bytes = jpeg_of_three_scans();
    let whole = done(&bytes);
    assert_eq!((whole.width, whole.height), (61, 43));
    let bare = &bytes[..bytes.len() - 2];
    assert_eq!(judged(bare), Ok(whole));
    let third = bare
        .windows(2)
        .rposition(|pair| pair == [0xFF, 0xDA])
        .expect("a scan");
    for end in [&b""[..], b"\xFF\xD9", b"\0\0\0\0"] {
        let short = [&bare[..third], end].concat();
        assert_eq!(judged(&short), Err(Error::Truncated), "{end:?}");
    }
}

#[test]
fn jpeg_with_end_mark_after_too_few_rows_is_refused() {
    for (kind, bytes) in kinds(&["JPEG"]) {
        if kind.contains("progressive") {
            // Its first scans hold all rows, in less detail.
            continue;
        }
        let half = [&bytes[..bytes.len() - bytes.len() / 4], b"\xFF\xD9"].concat();
        assert_eq!(judged(&half), Err(Error::Truncated), "{kind}");
    }
}

#[test]
fn zeros_in_place_of_the_data_are_no_picture() {
    for (kind, bytes) in kinds(&["JPEG", "PNG", "GIF"]) {
        for length in (bytes.len() / 3..bytes.len() - 2 * MARKS).step_by(17) {
            let mut padded = bytes[..length].to_vec();
            padded.resize(bytes.len() + 700, 0);
            let refused = judged(&padded);
            if kind == "animated GIF" && refused == Ok(done(&bytes)) {
                // The whole second frame is missing.
                continue;
            }
            assert_eq!(refused, Err(Error::Truncated), "{kind} of {length} bytes");
        }
    }
}

#[test]
fn png_without_end_chunk_is_accepted() {
    for (kind, bytes) in kinds(&["PNG"]) {
        let whole = done(&bytes);
        let bare = &bytes[..bytes.len() - 12];
        for end in [&b""[..], b"\0\0\0\0", b"trailer", b"\0\0\0\0IEND"] {
            let photo = judged(&[bare, end].concat());
            assert_eq!(photo.as_ref(), Ok(&whole), "{kind} with {end:?} at its end");
        }
    }
}

#[test]
fn gif_is_judged_by_its_pixels() {
    for (kind, bytes) in kinds(&["GIF"]) {
        let whole = done(&bytes);
        // The trailer, and the terminator of the last frame.
        let without_trailer = &bytes[..bytes.len() - 1];
        let without_terminator = &bytes[..bytes.len() - 2];
        for (name, file) in [
            ("no trailer", without_trailer.to_vec()),
            ("no terminator", without_terminator.to_vec()),
            ("zeros", [without_trailer, &[0; 9], b";"].concat()),
            ("text", [without_trailer, b"trailer"].concat()),
            ("a cut comment", [without_trailer, b"!\xFE\x09abc"].concat()),
        ] {
            let photo = judged(&file);
            assert_eq!(photo.as_ref(), Ok(&whole), "{kind} with {name}");
        }
        let announced = [without_trailer, b"!\xF9\x04\0\0\0\0\0"].concat();
        assert_eq!(judged(&announced), Err(Error::Truncated), "{kind} before a frame");
    }

    let (_, bytes) = kinds(&["GIF"]).swap_remove(0);
    // All blocks are closed, but the last pixels are missing.
    let short = [&bytes[..bytes.len() / 2], &[0; 300], b";"].concat();
    assert_eq!(judged(&short), Err(Error::Truncated));
    let without_frame = process(b"GIF89a\x08\0\x08\0\0\0\0;", &Limits::default());
    assert_eq!(without_frame, Err(Error::Truncated));
}

#[test]
fn webp_that_lacks_only_metadata_is_accepted() {
    for (kind, bytes) in kinds(&["WebP"]) {
        let whole = done(&bytes);
        let metadata = [b"XMP \x64\0\0\0".as_slice(), &[b' '; 100]].concat();
        let mut longer = [bytes.as_slice(), &metadata].concat();
        let length = u32::try_from(longer.len() - 8).expect("short").to_le_bytes();
        longer[4..8].copy_from_slice(&length);
        for end in (bytes.len()..longer.len()).step_by(9) {
            let photo = judged(&longer[..end]);
            if kind.contains("animated") {
                // More frames could follow.
                assert_eq!(photo, Err(Error::Truncated), "{kind} of {end} bytes");
            } else {
                assert_eq!(photo.as_ref(), Ok(&whole), "{kind} of {end} bytes");
            }
        }
    }
}
