//! The formats that are supported, and the names of those that are not.

use super::*;

#[test]
fn unknown_data_and_unsupported_formats_are_distinguished() {
    for bytes in [
        &b""[..],
        b"hello",
        b"%PDF-1.7 and so on",
        b"<svg></svg>",
        &[0; 64],
    ] {
        assert_eq!(Shape::of(bytes), Err(Error::NotAnImage));
    }
    for (found, bytes) in [
        ("HEIC", &b"\0\0\0\x18ftypheic\0\0\0\0"[..]),
        ("HEIC", b"\0\0\0\x18ftypmif1\0\0\0\0miafMiHB"),
        ("HEIC", b"\0\0\0\x18ftypmsf1\0\0\0\0mif1hevc"),
        ("HEIC", b"\0\0\0\x18ftypXXXX\0\0\0\0mif1heix"),
        ("AVIF", b"\0\0\0\x18ftypavif\0\0\0\0"),
        ("AVIF", b"\0\0\0\x18ftypmif1\0\0\0\0miafavif"),
        ("TIFF", b"II*\0\x08\0\0\0"),
    ] {
        assert_eq!(
            process(bytes, &Limits::default()),
            Err(Error::Unsupported {
                found: found.to_owned()
            })
        );
    }
}

#[test]
fn every_heic_brand_is_named_with_the_setting_of_the_phone() {
    let brands = [
        "heic", "heix", "heim", "heis", "hevc", "hevx", "hevm", "hevs", "mif1", "mif2", "msf1", "miaf",
    ];
    for brand in brands {
        let major = [b"\0\0\0\x10ftyp".as_slice(), brand.as_bytes(), b"\0\0\0\0"].concat();
        let head = b"\0\0\0\x18ftypisom\0\0\0\0mp41".as_slice();
        let compatible = [head, brand.as_bytes(), b"\0\0\0\x08meta"].concat();
        for bytes in [major, compatible] {
            let refused = process(&bytes, &Limits::default()).expect_err("is refused");
            assert!(
                matches!(&refused, Error::Unsupported { found } if found == "HEIC"),
                "{brand}"
            );
            assert!(
                refused.to_string().contains("Formats > Most Compatible"),
                "{refused}"
            );
        }
    }
    let after_brands = b"\0\0\0\x14ftypisom\0\0\0\0mp41\0\0\0\x08heic";
    assert_eq!(
        process(after_brands, &Limits::default()),
        Err(Error::NotAnImage),
        "a video"
    );
    let rare = process(fault!("rare-hevx.heic"), &Limits::default());
    assert!(
        matches!(&rare, Err(Error::Unsupported { found }) if found == "HEIC"),
        "{rare:?}"
    );
}
