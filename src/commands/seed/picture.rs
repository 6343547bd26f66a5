//! Generated photos of garments on a floor or a wall. Each garment and view gives a different picture.
//!
//! They are drawn pixel by pixel in unit coordinates; the width of the picture is 100 units. A new garment is an
//! outline.

use anyhow::Result;
use libjpeg_turbo_rs::{Encoder, PixelFormat, Subsampling};

const WIDTH: usize = 600;
const HEIGHT: usize = 800;
/// The JPEG quality that phones use.
const QUALITY: u8 = 85;

type Color = [u8; 3];
type Point = (f32, f32);

/// The appearance of a garment.
#[derive(Clone, Copy)]
pub struct Look {
    pub shape: Shape,
    pub fabric: Fabric,
    pub color: Color,
    /// The second colour of the pattern, and the colour of seams and straps.
    pub accent: Color,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Shape {
    Top,
    Dress,
    Trousers,
    Coat,
    Skirt,
    Shoe,
    Bag,
}

#[derive(Clone, Copy)]
pub enum Fabric {
    Plain,
    Melange,
    Stripes,
    Checks,
    Dots,
    Denim,
}

/// Draws one view of a look. `number` varies the background and the light between garments.
pub fn draw(look: &Look, view: usize, number: usize) -> Result<Vec<u8>> {
    let scene = Scene::new(look, view, number);
    let mut pixels = Vec::with_capacity(WIDTH * HEIGHT * 3);
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            let scale = 100.0 / WIDTH as f32;
            pixels.extend_from_slice(&scene.color_at((x as f32 * scale, y as f32 * scale), x, y));
        }
    }
    let jpeg = Encoder::new(&pixels, WIDTH, HEIGHT, PixelFormat::Rgb);
    Ok(jpeg.quality(QUALITY).subsampling(Subsampling::S420).encode()?)
}

struct Scene<'a> {
    look: &'a Look,
    outlines: Vec<(Vec<Point>, Part)>,
    ground: Color,
    planks: bool,
    seed: u32,
    /// The light's direction, and the rotation and zoom of the garment.
    light: f32,
    sin: f32,
    cos: f32,
    zoom: f32,
}

#[derive(Clone, Copy, PartialEq)]
enum Part {
    Body,
    Trim,
}

/// The colours of walls, sheets and floors.
const GROUNDS: [Color; 6] = [
    [226, 222, 214],
    [206, 190, 166],
    [188, 196, 204],
    [236, 232, 228],
    [174, 146, 116],
    [214, 206, 218],
];

impl<'a> Scene<'a> {
    fn new(look: &'a Look, view: usize, number: usize) -> Self {
        let seed = mix(number as u32 * 31 + view as u32);
        let angle = (fraction(seed) - 0.5) * if view == 0 { 0.08 } else { 0.5 };
        Self {
            look,
            outlines: outlines(look.shape),
            ground: GROUNDS[(number * 5 + view * 2) % GROUNDS.len()],
            planks: (number + view) % 2 == 1,
            seed,
            light: fraction(mix(seed)),
            sin: angle.sin(),
            cos: angle.cos(),
            zoom: [1.0, 1.55, 1.2][view % 3],
        }
    }

    fn color_at(&self, point: Point, x: usize, y: usize) -> Color {
        let grain = (fraction(mix(self.seed ^ (y * WIDTH + x) as u32)) - 0.5) * 0.06;
        let slope = (point.0 - 50.0) / 100.0 * (self.light - 0.5) + (66.0 - point.1) / 500.0;
        let own = self.to_garment(point);
        if let Some(part) = self.part_at(own) {
            let folds = (own.0 * 0.35 + (own.1 * 0.11).sin() * 2.0).sin() * 0.05;
            return lit(self.fabric_at(own, part, x, y), 1.0 + grain + slope + folds);
        }
        let shadow = if self
            .part_at(self.to_garment((point.0 - 1.6, point.1 - 1.8)))
            .is_some()
        {
            0.72
        } else {
            1.0
        };
        let gap =
            self.planks && (point.1 % 16.0 < 0.5 || (point.0 + (point.1 / 16.0).floor() * 37.0) % 83.0 < 0.5);
        lit(
            self.ground,
            (1.0 + grain + slope) * shadow * if gap { 0.78 } else { 1.0 },
        )
    }

    /// Converts a point of the picture to a point of the garment.
    fn to_garment(&self, point: Point) -> Point {
        let (x, y) = ((point.0 - 50.0) / self.zoom, (point.1 - 66.0) / self.zoom);
        (
            x * self.cos + y * self.sin + 50.0,
            y * self.cos - x * self.sin + 66.0,
        )
    }

    fn part_at(&self, point: Point) -> Option<Part> {
        let covering = self
            .outlines
            .iter()
            .rev()
            .find(|(outline, _)| contains(outline, point));
        covering.map(|(_, part)| *part)
    }

    fn fabric_at(&self, (x, y): Point, part: Part, column: usize, row: usize) -> Color {
        let Look { color, accent, .. } = *self.look;
        let thread = fraction(mix(self.seed ^ 0x5bd1 ^ ((row / 2) * WIDTH + column / 2) as u32));
        let other = match self.look.fabric {
            _ if part == Part::Trim => return accent,
            Fabric::Plain => return color,
            Fabric::Melange => thread < 0.4,
            Fabric::Denim => (x * 3.0 + y * 3.0).fract() < 0.3 || thread < 0.15,
            Fabric::Stripes => y % 6.0 < 1.8,
            Fabric::Checks => (x % 10.0 < 4.0) != (y % 10.0 < 4.0),
            Fabric::Dots => {
                let (cell_x, cell_y) = ((x % 7.0) - 3.5, (y % 7.0) - 3.5);
                cell_x * cell_x + cell_y * cell_y < 2.6
            }
        };
        if other { accent } else { color }
    }
}

/// Returns the outlines of a garment, from bottom to top.
fn outlines(shape: Shape) -> Vec<(Vec<Point>, Part)> {
    let top = |hem: f32| {
        vec![
            (38.0, 28.0),
            (44.0, 31.0),
            (56.0, 31.0),
            (62.0, 28.0),
            (76.0, 34.0),
            (90.0, 66.0),
            (80.0, 71.0),
            (70.0, 52.0),
            (71.0, hem),
            (29.0, hem),
            (30.0, 52.0),
            (20.0, 71.0),
            (10.0, 66.0),
            (24.0, 34.0),
        ]
    };
    let bar = |left: f32, upper: f32, right: f32, lower: f32| {
        (
            vec![(left, upper), (right, upper), (right, lower), (left, lower)],
            Part::Trim,
        )
    };
    match shape {
        Shape::Top => vec![(top(98.0), Part::Body), bar(29.5, 95.0, 70.5, 98.0)],
        Shape::Coat => vec![
            (top(116.0), Part::Body),
            bar(49.4, 32.0, 50.6, 115.0),
            bar(34.0, 84.0, 45.0, 86.0),
            bar(55.0, 84.0, 66.0, 86.0),
        ],
        Shape::Dress => vec![
            (
                vec![
                    (38.0, 22.0),
                    (43.0, 22.0),
                    (46.0, 32.0),
                    (54.0, 32.0),
                    (57.0, 22.0),
                    (62.0, 22.0),
                    (66.0, 42.0),
                    (60.0, 60.0),
                    (80.0, 116.0),
                    (20.0, 116.0),
                    (40.0, 60.0),
                    (34.0, 42.0),
                ],
                Part::Body,
            ),
            bar(39.6, 59.0, 60.4, 61.0),
        ],
        Shape::Skirt => vec![
            (
                vec![(36.0, 44.0), (64.0, 44.0), (80.0, 94.0), (20.0, 94.0)],
                Part::Body,
            ),
            bar(36.0, 42.0, 64.0, 46.0),
        ],
        Shape::Trousers => vec![
            (
                vec![
                    (32.0, 22.0),
                    (68.0, 22.0),
                    (74.0, 118.0),
                    (56.0, 118.0),
                    (50.0, 52.0),
                    (44.0, 118.0),
                    (26.0, 118.0),
                ],
                Part::Body,
            ),
            bar(31.8, 22.0, 68.2, 26.0),
        ],
        Shape::Shoe => vec![
            (
                vec![
                    (14.0, 50.0),
                    (34.0, 46.0),
                    (42.0, 60.0),
                    (62.0, 68.0),
                    (84.0, 74.0),
                    (88.0, 84.0),
                    (14.0, 84.0),
                ],
                Part::Body,
            ),
            bar(12.0, 84.0, 89.0, 89.0),
            (
                vec![(14.0, 50.0), (24.0, 48.0), (22.0, 66.0), (14.0, 66.0)],
                Part::Trim,
            ),
        ],
        Shape::Bag => vec![
            bar(32.0, 24.0, 35.0, 54.0),
            bar(65.0, 24.0, 68.0, 54.0),
            bar(32.0, 24.0, 68.0, 27.0),
            (
                vec![(26.0, 52.0), (74.0, 52.0), (84.0, 104.0), (16.0, 104.0)],
                Part::Body,
            ),
            (
                vec![(40.0, 52.0), (60.0, 52.0), (58.0, 68.0), (42.0, 68.0)],
                Part::Trim,
            ),
        ],
    }
}

/// Returns whether a point is within an outline: a ray from it crosses an odd number of sides.
fn contains(outline: &[Point], (x, y): Point) -> bool {
    let mut inside = false;
    let mut last = outline[outline.len() - 1];
    for &(to_x, to_y) in outline {
        let (from_x, from_y) = last;
        if (to_y > y) != (from_y > y) && x < (from_x - to_x) * (y - to_y) / (from_y - to_y) + to_x {
            inside = !inside;
        }
        last = (to_x, to_y);
    }
    inside
}

fn lit(color: Color, light: f32) -> Color {
    color.map(|channel| (f32::from(channel) * light).clamp(0.0, 255.0) as u8)
}

/// Hashes a number, deterministically.
fn mix(number: u32) -> u32 {
    let mut mixed = number.wrapping_mul(0x9e37_79b9) ^ 0x85eb_ca6b;
    mixed = (mixed ^ (mixed >> 15)).wrapping_mul(0x2c1b_3c6d);
    mixed = (mixed ^ (mixed >> 12)).wrapping_mul(0x297a_2d39);
    mixed ^ (mixed >> 15)
}

/// Returns a number from 0 (inclusive) to 1 (exclusive).
fn fraction(mixed: u32) -> f32 {
    (mixed >> 8) as f32 / 16_777_216.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: Look = Look {
        shape: Shape::Top,
        fabric: Fabric::Stripes,
        color: [238, 236, 228],
        accent: [32, 44, 84],
    };

    #[test]
    fn same_look_and_view_give_the_same_picture() {
        let first = draw(&LOOK, 0, 1).expect("drawn");
        assert_eq!(first, draw(&LOOK, 0, 1).expect("drawn"));
        assert_ne!(first, draw(&LOOK, 1, 1).expect("drawn"));
    }
}
