//! Turns pixels upright.

use image::metadata::Orientation;

/// The side in pixels of the squares in which a quarter turn is copied. Their rows and columns both fit into the L1
/// cache.
const TILE: usize = 32;

/// Whether `orientation` swaps width and height.
pub(super) fn swaps_sides(orientation: Orientation) -> bool {
    matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    )
}

/// Returns the upright picture of the `width` x `height` pixels at the top left of `source`. The rows of `source` are
/// `stride` pixels apart.
pub(super) fn upright<P: Copy + Default>(
    source: &[P],
    stride: usize,
    (width, height): (usize, usize),
    orientation: Orientation,
) -> Vec<P> {
    let rows = || source.chunks(stride).take(height).map(|row| &row[..width]);
    match orientation {
        Orientation::NoTransforms => rows().flatten().copied().collect(),
        Orientation::FlipHorizontal => rows().flat_map(|row| row.iter().rev()).copied().collect(),
        Orientation::FlipVertical => (0..height)
            .rev()
            .flat_map(|y| &source[y * stride..][..width])
            .copied()
            .collect(),
        Orientation::Rotate180 => (0..height)
            .rev()
            .flat_map(|y| source[y * stride..][..width].iter().rev())
            .copied()
            .collect(),
        Orientation::Rotate90 => transposed(source, stride, (width, height), false, true),
        Orientation::Rotate270 => transposed(source, stride, (width, height), true, false),
        Orientation::Rotate90FlipH => transposed(source, stride, (width, height), false, false),
        Orientation::Rotate270FlipH => transposed(source, stride, (width, height), true, true),
    }
}

/// Turns rows into columns. `flip_x` and `flip_y` select the sides along which the source is read backwards.
fn transposed<P: Copy + Default>(
    source: &[P],
    stride: usize,
    (width, height): (usize, usize),
    flip_x: bool,
    flip_y: bool,
) -> Vec<P> {
    let mut out = vec![P::default(); width * height];
    for top in (0..width).step_by(TILE) {
        for left in (0..height).step_by(TILE) {
            for x in top..(top + TILE).min(width) {
                let column = if flip_x { width - 1 - x } else { x };
                let end = (left + TILE).min(height);
                let tile_row = &mut out[x * height + left..x * height + end];
                for (y, pixel) in (left..end).zip(tile_row) {
                    let row = if flip_y { height - 1 - y } else { y };
                    *pixel = source[row * stride + column];
                }
            }
        }
    }
    out
}
