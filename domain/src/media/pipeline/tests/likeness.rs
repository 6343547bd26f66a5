//! The perceptual hashes of copies and of other photos.

use super::super::likeness::{HashIndex, NEAR_DUPLICATE, distance};
use super::*;

#[test]
fn copies_have_near_hashes_and_other_photos_do_not() {
    let hash = |bytes: &[u8]| done(bytes).perceptual_hash;
    let originals: Vec<RgbImage> = (0..12).map(|seed| scene(seed, 480, 360)).collect();
    let hashes: Vec<u64> = originals
        .iter()
        .map(|picture| hash(&jpeg(picture, 92, Subsampling::S420, false)))
        .collect();
    for (picture, original) in originals.iter().zip(&hashes) {
        let smaller = image::imageops::resize(picture, 160, 120, image::imageops::FilterType::Triangle);
        let cropped = image::imageops::crop_imm(picture, 5, 4, 470, 352).to_image();
        let copies = [
            ("recompressed", jpeg(picture, 30, Subsampling::S420, true)),
            (
                "as PNG",
                written(&DynamicImage::ImageRgb8(picture.clone()), ImageFormat::Png),
            ),
            ("smaller", jpeg(&smaller, 80, Subsampling::S444, false)),
            ("cropped", jpeg(&cropped, 90, Subsampling::S420, false)),
        ];
        for (kind, copy) in copies {
            let apart = distance(*original, hash(&copy));
            assert!(apart <= NEAR_DUPLICATE, "{kind}: {apart} bits");
        }
    }
    for (at, a) in hashes.iter().enumerate() {
        for b in &hashes[at + 1..] {
            assert!(
                distance(*a, *b) > NEAR_DUPLICATE,
                "{a:016x} and {b:016x} look alike"
            );
        }
    }
}

#[test]
fn index_finds_only_near_hashes_in_order() {
    let target = 0xDEAD_BEEF_0BAD_F00D_u64;
    let far = (0..5_000_u64).map(|at| (!target ^ at, 0));
    let near = [(target ^ 0b111, 3), (target, 9), (target ^ (1 << 63), 1)];
    let index: HashIndex<u32> = far.clone().chain(near).chain(far).collect();
    assert_eq!(index.nearest(target, 2), [(&9, 0), (&1, 1)]);
    assert_eq!(index.nearest(target, 3), [(&9, 0), (&1, 1), (&3, 3)]);
    assert!(index.nearest(target ^ 0xFFFF_0000, 5).is_empty());
    assert_eq!(HashIndex::<u32>::default().nearest(target, 64), []);
    assert_eq!(index.nearest(target, 64).len(), 10_003);
}
