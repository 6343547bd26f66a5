//! Measures the complete processing of one photo of 12 megapixels, compared with Pillow and imagehash, each in one
//! thread. Also measures the search for similar photos.

use std::hint::black_box;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::Instant;
use vintedbot_domain::media::pipeline::likeness::{HashIndex, NEAR_DUPLICATE};
use vintedbot_domain::media::pipeline::{self, Limits};

use super::table::{Row, median, time};
use crate::photos;

const SCRIPT: &str = include_str!("pillow.py");
const ROUNDS: usize = 11;
const HASHES: usize = 1_000_000;
const SCANS: usize = 51;

pub async fn measure(python: &Path, folder: &Path) -> Result<Vec<Row>> {
    Ok(vec![pipeline_beside_pillow(python, folder).await?, likeness()])
}

async fn pipeline_beside_pillow(python: &Path, folder: &Path) -> Result<Row> {
    let path = folder.join("photo.jpg");
    std::fs::write(&path, photos::jpeg(1, 3_000, 4_000)?)?;
    let mut pillow = Pillow::start(python, &path).await?;
    let bytes = std::fs::read(&path)?;
    let limits = Limits::default();

    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    // The first round warms up the caches.
    for round in 0..=ROUNDS {
        let start = Instant::now();
        let photo = pipeline::process(&bytes, &limits)?;
        let took = start.elapsed();
        ensure!(photo.height > photo.width, "the photo was not turned upright");
        let took_pillow = pillow.process(photo.width, photo.height).await?;
        if round > 0 {
            ours.push(took);
            theirs.push(took_pillow);
        }
    }
    pillow.child.kill().await?;

    let (ours, theirs) = (median(&mut ours), median(&mut theirs));
    let ratio = theirs.as_secs_f64() / ours.as_secs_f64();
    Ok(Row {
        what: "a photo of 12 megapixels, median".to_owned(),
        measured: time(ours),
        yardstick: format!("Pillow, imagehash {}", time(theirs)),
        ratio: format!("{ratio:.1}x faster"),
        bar: "3x faster".to_owned(),
        is_met: ratio >= 3.0,
    })
}

/// Pillow with imagehash, in a Python process that has imported them.
struct Pillow {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Pillow {
    async fn start(python: &Path, photo: &Path) -> Result<Self> {
        let mut child = Command::new(python)
            .args(["-c", SCRIPT])
            .arg(photo)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} (BENCH_PYTHON)", python.display()))?;
        let input = child.stdin.take().context("the input is not piped")?;
        let output = BufReader::new(child.stdout.take().context("the output is not piped")?).lines();
        let mut pillow = Self { child, input, output };
        pillow.line().await?;
        Ok(pillow)
    }

    async fn process(&mut self, width: u32, height: u32) -> Result<Duration> {
        self.input
            .write_all(format!("{width} {height}\n").as_bytes())
            .await?;
        Ok(Duration::from_nanos(self.line().await?.parse()?))
    }

    async fn line(&mut self) -> Result<String> {
        match self.output.next_line().await? {
            Some(line) => Ok(line),
            None => bail!(
                "Python ended ({}); it needs Pillow and imagehash",
                self.child.wait().await?
            ),
        }
    }
}

fn likeness() -> Row {
    let mut chance = StdRng::seed_from_u64(1);
    let index: HashIndex<usize> = (0..HASHES).map(|key| (chance.random(), key)).collect();
    let mut scans: Vec<Duration> = (0..SCANS)
        .map(|_| {
            let target = chance.random();
            let start = Instant::now();
            black_box(index.nearest(black_box(target), NEAR_DUPLICATE));
            start.elapsed()
        })
        .collect();
    let took = median(&mut scans);
    Row {
        what: "1,000,000 hashes compared, median".to_owned(),
        measured: time(took),
        yardstick: String::new(),
        ratio: String::new(),
        bar: "1 ms".to_owned(),
        is_met: took <= Duration::from_millis(1),
    }
}
