//! Whose words stand in the index, and for which searches.
//!
//! Every word and mark of a document begins with its space's name, always of the same length. One owner's words are others than
//! another's, so that a search reads nothing of anybody else, however common a word is; and those of listings, for which a
//! caller needs another scope, are others than those of the inbox.

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, Func, OnConflict, Query};
use sea_orm::{ConnectionTrait, EntityTrait};

use super::fold;
use super::rebuild::Phase;
use crate::store::Tx;
use crate::store::entities::search_indexes::{ActiveModel, Column, Entity, Model};
use crate::{Error, Result};

/// What is searched by one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corpus {
    /// Messages, threads, notes and people.
    Inbox,
    Listings,
}

/// Part of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space(pub(super) i64);

/// Letters and digits of a space's name: enough for 800,000 owners.
const NAME: u32 = 4;

impl Space {
    /// That of the owner with this number.
    pub fn of(number: i64, corpus: Corpus) -> Self {
        Self(number * 2 + i64::from(corpus == Corpus::Listings))
    }

    /// A word as it stands in the index.
    pub fn word(self, word: &str) -> String {
        let digits = b"0123456789abcdefghijklmnopqrstuvwxyz";
        let mut text = String::with_capacity(NAME as usize + word.len());
        for place in (0..NAME).rev() {
            let digit = self.0 / 36_i64.pow(place) % 36;
            text.push(char::from(digits[digit as usize]));
        }
        text.push_str(word);
        text
    }
}

/// The state of an owner's index, where there is one.
pub(super) async fn find(connection: &impl ConnectionTrait, owner_id: &str) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(owner_id).one(connection).await?)
}

/// The number of an owner, who gets one with the first document. What an owner without a number has is nothing yet, so that
/// the index is complete.
pub(super) async fn number(tx: &Tx, owner_id: &str) -> Result<i64> {
    loop {
        if let Some(row) = find(tx, owner_id).await? {
            return Ok(row.number);
        }
        let last = Query::select()
            .expr(Func::max(Expr::col(Column::Number)))
            .from(Entity)
            .to_owned();
        let last: Option<i64> = match tx.query_one(&last).await? {
            Some(row) => row.try_get_by_index(0)?,
            None => None,
        };
        let number = last.unwrap_or_default() + 1;
        if number.saturating_mul(2) + 1 >= 36_i64.pow(NAME) {
            return Err(Error::Internal(
                "there are too many owners for the search index".to_owned(),
            ));
        }
        let row = ActiveModel {
            owner_id: Set(owner_id.to_owned()),
            number: Set(number),
            version: Set(fold::VERSION),
            phase: Set(Phase::Complete),
            place: Set(String::new()),
            done: Set(0),
            total: Set(0),
            update_time: Set(tx.now().await?),
        };
        // Of two at once, one gets the number, and the other the next.
        Entity::insert(row)
            .on_conflict(OnConflict::new().do_nothing().to_owned())
            .exec_without_returning(tx)
            .await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_of_one_space_begins_like_one_of_another() {
        assert_eq!(Space::of(1, Corpus::Inbox).word("robe"), "0002robe");
        assert_eq!(Space::of(1, Corpus::Listings).word("robe"), "0003robe");
        assert_eq!(Space::of(17, Corpus::Listings).word("~o"), "000z~o");
        assert_eq!(Space::of(18, Corpus::Inbox).word("1"), "00101");
    }
}
