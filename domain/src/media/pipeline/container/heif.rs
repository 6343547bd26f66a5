//! The brands of HEIC and AVIF, which name the format of a file in an ISO container.

/// Brands of HEIC: pictures and sequences in HEVC, and the rarer ones in AVC and VVC. From the registry of the MP4
/// Registration Authority (`data/brands.csv` of github.com/mp4ra/mp4ra.github.io, read on 2026-11-30).
const HEIC_BRANDS: [&[u8; 4]; 12] = [
    b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"avci", b"avcs", b"vvic",
    b"vvis",
];
/// Brands of AVIF, from the same registry.
const AVIF_BRANDS: [&[u8; 4]; 5] = [b"avif", b"avis", b"avio", b"MA1A", b"MA1B"];
/// Brands of the container of both, from the same registry. A file without a brand of the lists above is most likely
/// HEIC.
const HEIF_BRANDS: [&[u8; 4]; 9] = [
    b"mif1", b"mif2", b"msf1", b"miaf", b"MiHA", b"MiHB", b"MiHE", b"MiAB", b"1pic",
];

/// Returns the picture format that the brands of a file name: its major brand, then the compatible ones.
pub(super) fn branded(bytes: &[u8]) -> Option<&'static str> {
    let length = usize::try_from(u32::from_be_bytes(*bytes.first_chunk::<4>()?)).ok()?;
    let major = bytes.get(8..12)?;
    // The minor version lies between them.
    let compatible = bytes.get(16..length.min(bytes.len())).unwrap_or_default();
    let brands = || std::iter::once(major).chain(compatible.chunks_exact(4));
    let is_one_of = |list: &[&[u8; 4]], brand: &[u8]| list.iter().any(|known| known.as_slice() == brand);
    let named = brands().find_map(|brand| {
        if is_one_of(&HEIC_BRANDS, brand) {
            Some("HEIC")
        } else if is_one_of(&AVIF_BRANDS, brand) {
            Some("AVIF")
        } else {
            None
        }
    });
    named.or_else(|| {
        brands()
            .any(|brand| is_one_of(&HEIF_BRANDS, brand))
            .then_some("HEIC")
    })
}
