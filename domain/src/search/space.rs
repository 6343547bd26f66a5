//! Separates the words of workspaces and corpora in the index.
//!
//! Every word and mark of a document begins with the name of its space; all names have the same length. Words of two
//! workspaces therefore differ, and a search reads nothing of another workspace, however common a word is. The words of
//! listings also differ from those of the inbox, because listings require another scope.

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, Func, OnConflict, Query};
use sea_orm::{ConnectionTrait, EntityTrait};

use super::fold;
use super::rebuild::Phase;
use crate::store::Tx;
use crate::store::entities::search_indexes::{ActiveModel, Column, Entity, Model};
use crate::{Error, Result};

/// The records that one call searches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corpus {
    /// Messages, threads, notes and people.
    Inbox,
    Listings,
}

/// A part of the index: one corpus of one workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space(pub(super) i64);

/// The length of a space's name in base 36: enough for 800,000 workspaces.
const NAME: u32 = 4;

impl Space {
    /// Returns the space of a corpus of the workspace with this number.
    pub fn of(number: i64, corpus: Corpus) -> Self {
        Self(number * 2 + i64::from(corpus == Corpus::Listings))
    }

    /// Returns a word as the index contains it.
    pub fn word(self, word: &str) -> String {
        let digits = b"0123456789abcdefghijklmnopqrstuvwxyz";
        let mut text = String::with_capacity(NAME as usize + word.len());
        for position in (0..NAME).rev() {
            let digit = self.0 / 36_i64.pow(position) % 36;
            text.push(char::from(digits[digit as usize]));
        }
        text.push_str(word);
        text
    }
}

/// Returns the state of a workspace's index, if it has one.
pub(super) async fn find(connection: &impl ConnectionTrait, workspace_id: &str) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(workspace_id).one(connection).await?)
}

/// Returns the number of a workspace. A workspace gets its number with its first document. Until then it has no
/// documents, so its index counts as complete.
pub(super) async fn number(tx: &Tx, workspace_id: &str) -> Result<i64> {
    loop {
        if let Some(row) = find(tx, workspace_id).await? {
            return Ok(row.number);
        }
        let last = Query::select()
            .expr(Func::max(Expr::col(Column::Number)))
            .from(Entity)
            .to_owned();
        let last = tx.of_all_workspaces(async { Ok(tx.query_one(&last).await?) });
        let last: Option<i64> = match last.await? {
            Some(row) => row.try_get_by_index(0)?,
            None => None,
        };
        let number = last.unwrap_or_default() + 1;
        if number.saturating_mul(2) + 1 >= 36_i64.pow(NAME) {
            return Err(Error::Internal(
                "too many workspaces for the search index".to_owned(),
            ));
        }
        let row = ActiveModel {
            workspace_id: Set(workspace_id.to_owned()),
            number: Set(number),
            version: Set(fold::VERSION),
            phase: Set(Phase::Complete),
            position: Set(String::new()),
            done: Set(0),
            total: Set(0),
            update_time: Set(tx.now().await?),
        };
        // If two transactions insert the same number, one of them gets it and the other takes the next.
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
    fn no_word_of_one_space_has_a_prefix_of_another() {
        assert_eq!(Space::of(1, Corpus::Inbox).word("robe"), "0002robe");
        assert_eq!(Space::of(1, Corpus::Listings).word("robe"), "0003robe");
        assert_eq!(Space::of(17, Corpus::Listings).word("~o"), "000z~o");
        assert_eq!(Space::of(18, Corpus::Inbox).word("1"), "00101");
    }
}
