//! Keyset pagination with signed page tokens.
//!
//! A token is bound to the workspace, the method and all other parameters of the list. If one of them differs, the
//! token fails with PAGE_TOKEN_INVALID. The token holds the position of the last entry of the page, so entries that are
//! created or deleted in between shift no later page.
//!
//! A list reads one entry more than [`PageQuery::limit`] and passes all of them to [`PageQuery::close`].

use sea_orm::sea_query::{Expr, ExprTrait, SimpleExpr};
use sea_orm::{ColumnTrait, IntoSimpleExpr};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::clock::Millis;
use crate::keys::{Keys, Purpose, sha256_hex};
use crate::{Error, Reason, Result};

/// The page that a caller requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageRequest {
    /// The number of entries on the page. 0 means the default; a larger number than the maximum means the maximum.
    pub size: i32,
    /// The `next_page_token` of the previous page. Empty: the first page.
    pub token: String,
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// The token of the next page. Empty on the last page.
    pub next_page_token: String,
}

/// The page sizes of a kind of list, in entries.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    pub default: usize,
    pub max: usize,
}

/// The page sizes of lists of a workspace's resources.
pub const RESOURCES: Sizes = Sizes {
    default: 50,
    max: 200,
};
/// The page sizes of lists of catalogue entries, which are small and numerous.
pub const CHOICES: Sizes = Sizes {
    default: 200,
    max: 1000,
};

/// The keyset position of a row in a list that is ordered by time, then id.
pub type Position = (Millis, String);

/// A validated page request, which starts after a position of type `P`.
#[derive(Clone, Debug)]
pub struct PageQuery<P> {
    /// The maximum number of entries on this page.
    pub limit: usize,
    /// The position of the last entry of the previous page. `None`: this is the first page.
    pub after: Option<P>,
    binding: String,
}

#[derive(Serialize, Deserialize)]
struct Token<P> {
    binding: String,
    after: P,
}

impl<P: Serialize + DeserializeOwned> PageQuery<P> {
    /// Validates a page request for a workspace, a method and the other parameters of the list.
    ///
    /// # Errors
    /// A violation of `page_size` if the size is negative; PAGE_TOKEN_INVALID.
    pub fn open(
        keys: &Keys,
        sizes: Sizes,
        (workspace_id, method): (&str, &str),
        parameters: &impl Serialize,
        request: &PageRequest,
    ) -> Result<Self> {
        let limit = match usize::try_from(request.size) {
            Err(_) => return Err(Error::invalid("page_size", "must not be negative")),
            Ok(0) => sizes.default,
            Ok(size) => size.min(sizes.max),
        };
        let binding = sha256_hex(serde_json::to_string(&(workspace_id, method, parameters))?);
        if request.token.is_empty() {
            return Ok(Self {
                limit,
                after: None,
                binding,
            });
        }
        let token = keys.verify(Purpose::PageToken, &request.token);
        let token = token.and_then(|text| serde_json::from_str::<Token<P>>(&text).ok());
        match token.filter(|token| token.binding == binding) {
            Some(token) => Ok(Self {
                limit,
                after: Some(token.after),
                binding,
            }),
            None => Err(Error::rejected(
                Reason::PageTokenInvalid,
                "the page token belongs to another list or other parameters; start with the first page",
            )),
        }
    }

    /// Returns the number of entries to read: one more than the page shows, to detect whether another page follows.
    pub fn to_read(&self) -> u64 {
        self.limit as u64 + 1
    }

    /// Builds the page from the entries that were read.
    pub fn close<T>(self, keys: &Keys, mut items: Vec<T>, position: impl Fn(&T) -> P) -> Result<Page<T>> {
        if items.len() <= self.limit {
            return Ok(Page {
                items,
                next_page_token: String::new(),
            });
        }
        items.truncate(self.limit);
        let Some(last) = items.last() else {
            return Ok(Page {
                items,
                next_page_token: String::new(),
            });
        };
        let token = serde_json::to_string(&Token {
            binding: self.binding,
            after: position(last),
        })?;
        Ok(Page {
            next_page_token: keys.sign(Purpose::PageToken, &token),
            items,
        })
    }
}

impl PageQuery<usize> {
    /// Builds a page of a list in memory. The position is the number of preceding entries.
    pub fn of_list<T>(self, keys: &Keys, list: impl IntoIterator<Item = T>) -> Result<Page<T>> {
        let start = self.after.unwrap_or(0);
        let items: Vec<_> = list
            .into_iter()
            .skip(start)
            .take(self.limit + 1)
            .enumerate()
            .collect();
        let page = self.close(keys, items, |(at, _)| start + at + 1)?;
        let items = page.items.into_iter().map(|(_, item)| item).collect();
        Ok(Page {
            items,
            next_page_token: page.next_page_token,
        })
    }
}

impl PageQuery<Position> {
    /// Returns the condition that selects the rows after the previous page, in a list ordered by `time` and `id`.
    /// `None` on the first page.
    pub fn condition<C: ColumnTrait>(&self, time: C, id: C, order: Order) -> Option<SimpleExpr> {
        let (after_time, after_id) = self.after.as_ref()?;
        let columns = Expr::tuple([time.into_simple_expr(), id.into_simple_expr()]);
        let position = Expr::tuple([Expr::value(*after_time), Expr::value(after_id.as_str())]);
        Some(match order {
            Order::NewestFirst => columns.lt(position),
            Order::OldestFirst => columns.gt(position),
        })
    }
}

/// The order of a list by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    NewestFirst,
    OldestFirst,
}
