//! `MarkThreads`, `ArchiveThreads`, `LabelThreads`: each changes all named threads or none.

use serde::Serialize;
use vintedbot_marketplace::text::normalize_name;

use super::Thread;
use super::change::{Change, change};
use super::row::labels_of;
use super::text::{BULK_MAX, LABEL_MAX, LABELS_MAX, check_name};
use crate::events::Kind;
use crate::identity::Caller;
use crate::{Context, Error, Result, Violation};

/// The parameters of `MarkThreads`: marks threads as read or unread.
#[derive(Clone, Debug, Serialize)]
pub struct Mark {
    pub ids: Vec<String>,
    pub unread: bool,
    #[serde(skip)]
    pub request_id: Option<String>,
}

/// The parameters of `ArchiveThreads`: archives or unarchives threads.
#[derive(Clone, Debug, Serialize)]
pub struct Archive {
    pub ids: Vec<String>,
    pub unarchive: bool,
    #[serde(skip)]
    pub request_id: Option<String>,
}

/// The parameters of `LabelThreads`: adds labels to threads and removes others.
#[derive(Clone, Debug, Serialize)]
pub struct Label {
    pub ids: Vec<String>,
    pub add: Vec<String>,
    pub remove: Vec<String>,
    #[serde(skip)]
    pub request_id: Option<String>,
}

/// Marks threads as read or unread. For a thread that becomes read here and is unread on the site, a job marks it as
/// read there.
pub async fn mark(context: &Context, caller: &Caller, mark: Mark) -> Result<Vec<Thread>> {
    check_count(&mark.ids)?;
    let unread = mark.unread;
    let wanted = Change {
        method: "MarkThreads",
        kind: Kind::ThreadUpdated,
        ids: mark.ids.clone(),
        request_id: mark.request_id.clone(),
        parameters: mark,
    };
    change(context, caller, wanted, move |row, _| {
        row.unread = unread;
        if !unread {
            row.unread_count = 0;
        }
        Ok(())
    })
    .await
}

/// Archives or unarchives threads. Archiving also clears a snooze.
pub async fn archive(context: &Context, caller: &Caller, archive: Archive) -> Result<Vec<Thread>> {
    check_count(&archive.ids)?;
    let archived = !archive.unarchive;
    let wanted = Change {
        method: "ArchiveThreads",
        kind: Kind::ThreadUpdated,
        ids: archive.ids.clone(),
        request_id: archive.request_id.clone(),
        parameters: archive,
    };
    change(context, caller, wanted, move |row, _| {
        row.archived = archived;
        if archived {
            row.snooze_until = None;
        }
        Ok(())
    })
    .await
}

/// Adds labels to threads and removes others.
///
/// # Errors
/// All violations in one error. A further violation if a thread would have more than [`LABELS_MAX`] labels.
pub async fn label(context: &Context, caller: &Caller, mut label: Label) -> Result<Vec<Thread>> {
    check_count(&label.ids)?;
    let normalize = |labels: &mut Vec<String>| {
        for label in labels {
            *label = normalize_name(label).trim().to_owned();
        }
    };
    normalize(&mut label.add);
    normalize(&mut label.remove);
    check_labels(&label)?;
    let (add, remove) = (label.add.clone(), label.remove.clone());
    let wanted = Change {
        method: "LabelThreads",
        kind: Kind::ThreadUpdated,
        ids: label.ids.clone(),
        request_id: label.request_id.clone(),
        parameters: label,
    };
    change(context, caller, wanted, move |row, _| {
        // A label that an older version stored may have another form.
        let stored = labels_of(row).into_iter();
        let mut labels: Vec<String> = stored.map(|label| normalize_name(&label).into_owned()).collect();
        labels.extend(add.iter().cloned());
        labels.retain(|label| !remove.contains(label));
        labels.sort();
        labels.dedup();
        if labels.len() > LABELS_MAX {
            let text = format!("thread {} would have more than {LABELS_MAX} labels", row.id);
            return Err(Error::invalid("add", text));
        }
        row.labels = serde_json::to_string(&labels)?;
        Ok(())
    })
    .await
}

fn check_count(ids: &[String]) -> Result<()> {
    if (1..=BULK_MAX).contains(&ids.len()) {
        Ok(())
    } else {
        Err(Error::invalid(
            "ids",
            format!("must name 1 to {BULK_MAX} threads"),
        ))
    }
}

fn check_labels(label: &Label) -> Result<()> {
    let mut violations = Vec::new();
    for (field, labels) in [("add", &label.add), ("remove", &label.remove)] {
        let each = labels.iter().enumerate();
        violations.extend(each.filter_map(|(at, one)| check_name(&format!("{field}[{at}]"), one, LABEL_MAX)));
    }
    let both = label
        .add
        .iter()
        .enumerate()
        .filter(|(_, one)| label.remove.contains(one));
    violations.extend(
        both.map(|(at, one)| Violation::new(format!("add[{at}]"), format!("{one:?} is also in remove"))),
    );
    if label.add.is_empty() && label.remove.is_empty() {
        violations.push(Violation::new("add", "add or remove must name a label"));
    }
    if violations.is_empty() {
        Ok(())
    } else {
        Err(Error::Invalid(violations))
    }
}
