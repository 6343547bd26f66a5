//! Merges an entry that is read again into its message row.

use std::collections::HashSet;

use super::entry::{Read, parsed, pending};
use crate::Result;
use crate::inbox::{Attachment, AttachmentState, Author, Content, MessageKind};
use crate::store::entities::messages;

/// Gives an offer the key under which it is stored, if that is another one: an earlier version took the id of the
/// request for the id of its message. Such a row has the same kind and time, and no other entry has its key.
pub(super) fn keep_offer_keys(rows: &[messages::Model], reads: &mut [Read]) {
    let stored: HashSet<&str> = rows.iter().map(|row| row.remote_key.as_str()).collect();
    let mut taken: HashSet<String> = reads.iter().map(|read| read.key.clone()).collect();
    for read in reads {
        let is_offer = matches!(read.kind, MessageKind::OfferRequest | MessageKind::SellerOffer);
        if !is_offer || stored.contains(read.key.as_str()) {
            continue;
        }
        let same = rows.iter().find(|row| {
            row.kind == read.kind && read.time == Some(row.time) && !taken.contains(&row.remote_key)
        });
        if let Some(row) = same {
            read.key.clone_from(&row.remote_key);
            taken.insert(row.remote_key.clone());
        }
    }
}

/// Merges a repeated reading of an entry into its row. A value that is now empty does not replace a stored one, unless
/// the site hides the entry: the site is known to answer programs with emptied responses.
pub(super) fn merged(row: &messages::Model, read: &Read, is_read: bool) -> Result<messages::Model> {
    let text = if read.text.is_empty() && !read.hidden {
        row.text.clone()
    } else {
        read.text.clone()
    };
    let before: Option<Content> = row
        .content
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok());
    let content = match (&before, &read.content) {
        (Some(before), Some(now)) if !read.hidden => Some(filled(now.clone(), before)),
        (Some(before), None) => Some(before.clone()),
        (_, now) => now.clone(),
    };
    // Without a stated author, an entry counts as the site's.
    let author = match row.author {
        Author::Site => read.author,
        known => known,
    };
    Ok(messages::Model {
        author,
        text,
        content: content.as_ref().map(serde_json::to_string).transpose()?,
        attachments: attachments(row, read)?,
        time: read.time.unwrap_or(row.time),
        read: row.read || is_read,
        hidden: read.hidden,
        ..row.clone()
    })
}

/// Fills missing values of the new content from the stored content.
fn filled(now: Content, before: &Content) -> Content {
    let or = |now: String, before: &String| if now.is_empty() { before.clone() } else { now };
    match (now, before) {
        (
            Content::OfferRequest {
                offer_id,
                transaction_id,
                price,
                original_price,
                status,
                current,
            },
            Content::OfferRequest {
                offer_id: offer_before,
                transaction_id: transaction_before,
                price: price_before,
                original_price: original_before,
                status: status_before,
                ..
            },
        ) => Content::OfferRequest {
            offer_id: offer_id.or_else(|| offer_before.clone()),
            transaction_id: transaction_id.or_else(|| transaction_before.clone()),
            price: price.or_else(|| price_before.clone()),
            original_price: original_price.or_else(|| original_before.clone()),
            status: status.or(*status_before),
            current,
        },
        (
            Content::SellerOffer {
                price,
                original_price,
                current,
            },
            Content::SellerOffer {
                price: price_before,
                original_price: original_before,
                ..
            },
        ) => Content::SellerOffer {
            price: price.or_else(|| price_before.clone()),
            original_price: original_price.or_else(|| original_before.clone()),
            current,
        },
        (
            Content::Status { title, subtitle },
            Content::Status {
                title: title_before,
                subtitle: subtitle_before,
            },
        ) => Content::Status {
            title: or(title, title_before),
            subtitle: or(subtitle, subtitle_before),
        },
        (
            Content::Action {
                title,
                subtitle,
                buttons,
            },
            Content::Action {
                title: title_before,
                subtitle: subtitle_before,
                buttons: buttons_before,
            },
        ) => Content::Action {
            title: or(title, title_before),
            subtitle: or(subtitle, subtitle_before),
            buttons: if buttons.is_empty() {
                buttons_before.clone()
            } else {
                buttons
            },
        },
        (now, _) => now,
    }
}

/// Matches photos by position, because their addresses may be signed again for every reading.
fn attachments(row: &messages::Model, read: &Read) -> Result<String> {
    let mut attachments: Vec<Attachment> = parsed(row)?;
    if read.photo_urls.is_empty() && read.hidden {
        return Ok("[]".to_owned());
    }
    for (position, url) in read.photo_urls.iter().enumerate() {
        match attachments.get_mut(position) {
            Some(attachment) if attachment.state == AttachmentState::Pending => {
                attachment.url.clone_from(url)
            }
            Some(_) => {}
            None => attachments.push(pending(url)),
        }
    }
    Ok(serde_json::to_string(&attachments)?)
}

/// Returns whether a client sees a difference. The address of a photo that is not stored yet is not visible.
pub(super) fn looks_changed(before: &messages::Model, after: &messages::Model) -> Result<bool> {
    let without_addresses = |row: &messages::Model| -> Result<messages::Model> {
        let mut attachments = parsed(row)?;
        for attachment in &mut attachments {
            attachment.url.clear();
        }
        Ok(messages::Model {
            attachments: serde_json::to_string(&attachments)?,
            ..row.clone()
        })
    };
    Ok(without_addresses(before)? != without_addresses(after)?)
}
