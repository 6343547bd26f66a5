//! Compares the practice site's records with the states that the instance reports.

use std::collections::HashSet;

use anyhow::Result;
use vintedbot_sdk::v1::publish_job::State;

use super::story::{Act, Progress};
use crate::records::{Item, Photo, Record, Site, What};

/// The counts of the closing line, the table above it, and all faults.
pub struct Verdict {
    published: usize,
    cancelled: usize,
    challenged: usize,
    rows: Vec<[String; 4]>,
    faults: Vec<String>,
}

/// Reads the records after number `before` and compares them. `end` is the result of the story.
pub async fn judge(progress: &Progress, end: Result<()>, site: &Site, before: u64) -> Result<Verdict> {
    let mut records = site.records(before).await?;
    records.retain(|record| record.member_id == progress.member_id);
    let items: Vec<_> = records.iter().filter_map(Record::published).collect();
    let times: Vec<_> = progress
        .acts
        .iter()
        .map(|act| items.iter().filter(|item| is_of(item, act)).count())
        .collect();

    let mut faults: Vec<_> = end.err().map(|error| format!("{error:#}")).into_iter().collect();
    if items.len() != times.iter().sum::<usize>() {
        faults.push("an item without a listing was published".to_owned());
    }
    if let Some(act) = progress.acts.first() {
        let published = items.iter().filter(|item| is_of(item, act));
        faults.extend(published.flat_map(|item| differences(item, act)));
    }
    faults.extend(photo_faults(&records, progress.are_photos_made));
    let ended = |number: usize, state: State| {
        let act = progress
            .acts
            .get(number)
            .filter(|act| act.job.state() == state && times[number] == 0);
        act.map(|act| &act.job)
    };
    let challenged = match ended(2, State::Blocked) {
        Some(job) => {
            let reason = job.reason().as_str_name();
            job.requires_action
                && reason.contains("_CHALLENGE_")
                && was_challenged(site, progress.member_id).await?
        }
        None => false,
    };
    Ok(Verdict {
        published: times.first().copied().unwrap_or_default(),
        cancelled: usize::from(ended(1, State::Cancelled).is_some()),
        challenged: usize::from(challenged),
        rows: progress
            .acts
            .iter()
            .zip(times)
            .map(|(act, times)| row(act, times))
            .collect(),
        faults,
    })
}

/// Returns whether the site showed its captcha exactly once.
async fn was_challenged(site: &Site, member_id: u64) -> Result<bool> {
    let rules = site.rules().await?;
    Ok(rules
        .iter()
        .any(|rule| rule["member"] == member_id && rule["on"] == "form" && rule["struck"] == 1))
}

/// Returns whether the site's item has photos of this listing, regardless of its other fields.
fn is_of(item: &Item, act: &Act) -> bool {
    let hashes: HashSet<_> = act.photos.iter().map(|photo| photo.sha256.as_str()).collect();
    item.photo_sha256s
        .iter()
        .any(|sha256| hashes.contains(sha256.as_str()))
}

/// Returns the differences between the published item and the approved listing.
fn differences(item: &Item, act: &Act) -> Vec<String> {
    let listing = &act.listing;
    let hashes: Vec<_> = act.photos.iter().map(|photo| photo.sha256.clone()).collect();
    let price = listing.price.as_ref().map(|price| price.minor_units);
    [
        (item.title == listing.title, "title"),
        (item.description == listing.description, "description"),
        (item.price_minor == price, "price"),
        (item.photo_sha256s == hashes, "photos or their order"),
        (item.item_id.to_string() == act.job.remote_item_id, "id"),
        (item.push_up == Some(false), "paid bump"),
        (
            item.trusted == Some(true),
            "click, which was not a trusted browser event",
        ),
        (
            act.job.read_back.iter().all(|field| field.matches) && !act.job.read_back.is_empty(),
            "read-back",
        ),
    ]
    .into_iter()
    .filter(|(is_right, _)| !is_right)
    .map(|(_, what)| format!("the published item differs in its {what}"))
    .collect()
}

/// Returns the metadata that photos on the site still contain, and photos with a wrong orientation.
fn photo_faults(records: &[Record], are_made: bool) -> Vec<String> {
    let photos: Vec<&Photo> = records
        .iter()
        .filter_map(|record| match &record.what {
            What::Photo(photo) => Some(photo),
            _ => None,
        })
        .collect();
    let mut faults = Vec::new();
    if photos.is_empty() {
        faults.push("no photo reached the practice site".to_owned());
    }
    for photo in photos {
        if !photo.metadata.is_empty() {
            faults.push(format!("photo {} contains {:?}", photo.photo_id, photo.metadata));
        }
        if are_made && photo.width >= photo.height {
            faults.push(format!("photo {} has a wrong orientation", photo.photo_id));
        }
    }
    faults
}

fn row(act: &Act, times: usize) -> [String; 4] {
    let state = act
        .job
        .state()
        .as_str_name()
        .trim_start_matches("STATE_")
        .to_lowercase();
    let prepared = match act.job.read_back.len() {
        0 => "no".to_owned(),
        all => {
            let same = act.job.read_back.iter().filter(|field| field.matches).count();
            format!("{same} of {all} fields read back")
        }
    };
    let on_site = match times {
        0 => "nothing".to_owned(),
        1 => "1 item".to_owned(),
        more => format!("{more} items"),
    };
    [act.listing.title.clone(), prepared, state, on_site]
}

impl Verdict {
    pub fn is_right(&self) -> bool {
        (self.published, self.cancelled, self.challenged) == (1, 1, 1) && self.faults.is_empty()
    }

    pub fn print(&self) {
        let head = ["listing", "prepared", "job", "published on the site"].map(str::to_owned);
        println!();
        for [listing, prepared, job, on_site] in std::iter::once(&head).chain(&self.rows) {
            println!("{listing:<32}  {prepared:<26}  {job:<10}  {on_site}");
        }
        println!();
        for fault in &self.faults {
            println!("fault: {fault}");
        }
        println!("{}", self.closing_line());
    }

    fn closing_line(&self) -> String {
        let published = match self.published {
            1 => "1 of 1 exactly once".to_owned(),
            0 => "0 of 1".to_owned(),
            times => format!("1 of 1, but {times} times"),
        };
        let (cancelled, challenged) = (self.cancelled, self.challenged);
        format!("demo: published {published}, {cancelled} cancelled, {challenged} stopped at a challenge")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(published: usize, cancelled: usize, challenged: usize) -> Verdict {
        Verdict {
            published,
            cancelled,
            challenged,
            rows: Vec::new(),
            faults: Vec::new(),
        }
    }

    #[test]
    fn closing_line_states_the_counts() {
        assert_eq!(
            verdict(1, 1, 1).closing_line(),
            "demo: published 1 of 1 exactly once, 1 cancelled, 1 stopped at a challenge"
        );
        assert_eq!(
            verdict(2, 1, 0).closing_line(),
            "demo: published 1 of 1, but 2 times, 1 cancelled, 0 stopped at a challenge"
        );
    }

    #[test]
    fn any_other_count_or_fault_fails() {
        assert!(verdict(1, 1, 1).is_right());
        for (published, cancelled, challenged) in [(0, 1, 1), (2, 1, 1), (1, 0, 1), (1, 1, 0)] {
            assert!(!verdict(published, cancelled, challenged).is_right());
        }
        let faulty = Verdict {
            faults: vec!["a photo contains its place".to_owned()],
            ..verdict(1, 1, 1)
        };
        assert!(!faulty.is_right());
    }
}
