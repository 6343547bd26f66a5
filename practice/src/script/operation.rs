//! The operations that rules can name.

use axum::http::Method;
use serde::{Deserialize, Serialize};

/// The purpose of a request; a rule names one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Every operation named below.
    Any,
    Photo,
    SaveDraft,
    Publish,
    EditItem,
    DeleteDraft,
    DeleteItem,
    HideItem,
    Wardrobe,
    Item,
    Inbox,
    InboxStats,
    Conversation,
    Reply,
    MarkRead,
    DeleteConversation,
    /// The seller makes an offer.
    Offer,
    /// The seller answers a price request.
    OfferAnswer,
    CurrentUser,
    Refresh,
    /// The request of the login page.
    SignIn,
    /// All readings of the form: the next eight operations, and any others.
    Ontology,
    Categories,
    /// The fields of a category, with sizes, conditions and materials.
    Attributes,
    Brands,
    Sizes,
    Conditions,
    Colors,
    PackageSizes,
    Suggestions,
    Home,
    Form,
    EditForm,
    ItemPage,
    MemberPage,
}

impl Operation {
    pub fn of(method: &Method, path: &str) -> Option<Self> {
        let parts: Vec<_> = path.trim_matches('/').split('/').collect();
        let found = match (method.as_str(), parts.as_slice()) {
            ("POST", ["api", "v2", "photos"]) => Self::Photo,
            ("POST", ["api", "v2", "items", _, "delete"]) => Self::DeleteItem,
            ("PUT", ["api", "v2", "items", _, "is_hidden"]) => Self::HideItem,
            ("GET", ["api", "v2", "wardrobe", _, "items"]) => Self::Wardrobe,
            ("GET", ["api", "v2", "users", "current"]) => Self::CurrentUser,
            ("POST", ["web", "api", "auth", "refresh"]) => Self::Refresh,
            ("POST", ["web", "api", "auth", "oauth"]) => Self::SignIn,
            ("GET", ["api", "v2", "catalogs", _, "package_sizes"]) => Self::PackageSizes,
            ("GET", ["api", "v2", "inbox"]) => Self::Inbox,
            (_, ["api", "v2", "conversations", rest @ ..]) => return Self::of_conversation(method, rest),
            ("POST", ["api", "v2", "transactions", _, "offers"]) => Self::Offer,
            (
                "PUT",
                [
                    "api",
                    "v2",
                    "transactions",
                    _,
                    "offer_requests",
                    _,
                    "accept" | "reject",
                ],
            ) => Self::OfferAnswer,
            (_, ["api", "v2", "item_upload", rest @ ..]) => Self::of_upload(method, rest),
            (_, ["api", "v2", "catalogs", ..]) => Self::Ontology,
            ("GET", [""]) => Self::Home,
            ("GET", ["items", "new"]) => Self::Form,
            ("GET", ["items", _, "edit"]) => Self::EditForm,
            ("GET", ["items", _]) => Self::ItemPage,
            ("GET", ["member", id]) if id.parse::<u64>().is_ok() => Self::MemberPage,
            _ => return None,
        };
        Some(found)
    }

    fn of_conversation(method: &Method, path: &[&str]) -> Option<Self> {
        Some(match (method.as_str(), path) {
            ("GET", ["stats"]) => Self::InboxStats,
            ("GET", [_]) => Self::Conversation,
            ("DELETE", [_]) => Self::DeleteConversation,
            ("POST", [_, "replies"]) => Self::Reply,
            ("PUT", [_, "mark_as_read"]) => Self::MarkRead,
            _ => return None,
        })
    }

    fn of_upload(method: &Method, path: &[&str]) -> Self {
        match (method.as_str(), path) {
            ("POST", ["drafts"]) | ("PUT", ["drafts", _]) => Self::SaveDraft,
            ("DELETE", ["drafts", _]) => Self::DeleteDraft,
            ("POST", ["drafts", _, "completion"] | ["items"]) => Self::Publish,
            ("PUT", ["items", _]) => Self::EditItem,
            ("GET", ["items", _]) => Self::Item,
            (_, ["catalogs", ..]) => Self::Categories,
            (_, ["attributes"]) => Self::Attributes,
            (_, ["brands"]) => Self::Brands,
            (_, ["size_groups"]) => Self::Sizes,
            (_, ["conditions"]) => Self::Conditions,
            (_, ["colors"]) => Self::Colors,
            (_, ["suggestions", ..]) => Self::Suggestions,
            _ => Self::Ontology,
        }
    }

    /// Returns whether a rule for this operation applies to a request for `other`.
    pub fn covers(self, other: Self) -> bool {
        self == other || self == Self::Any || (self == Self::Ontology && other.is_of_ontology())
    }

    fn is_of_ontology(self) -> bool {
        matches!(
            self,
            Self::Ontology
                | Self::Categories
                | Self::Attributes
                | Self::Brands
                | Self::Sizes
                | Self::Conditions
                | Self::Colors
                | Self::PackageSizes
                | Self::Suggestions
        )
    }

    /// Returns whether a browser navigates to it, instead of a script calling it.
    pub fn is_page(self) -> bool {
        matches!(
            self,
            Self::Home | Self::Form | Self::EditForm | Self::ItemPage | Self::MemberPage
        )
    }

    pub fn is_form(self) -> bool {
        matches!(self, Self::Form | Self::EditForm)
    }

    /// Returns whether it only reads, so that its answer can be changed afterwards.
    pub fn only_reads(self) -> bool {
        self.is_of_ontology()
            || matches!(
                self,
                Self::Wardrobe
                    | Self::Item
                    | Self::CurrentUser
                    | Self::Inbox
                    | Self::InboxStats
                    | Self::Conversation
            )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form_steps_map_to_their_operations() {
        for (method, path, operation) in [
            (Method::GET, "/api/v2/item_upload/catalogs", Operation::Categories),
            (
                Method::POST,
                "/api/v2/item_upload/attributes",
                Operation::Attributes,
            ),
            (Method::GET, "/api/v2/item_upload/brands", Operation::Brands),
            (Method::GET, "/api/v2/item_upload/size_groups", Operation::Sizes),
            (
                Method::GET,
                "/api/v2/item_upload/conditions",
                Operation::Conditions,
            ),
            (Method::GET, "/api/v2/item_upload/colors", Operation::Colors),
            (
                Method::GET,
                "/api/v2/catalogs/7030/package_sizes",
                Operation::PackageSizes,
            ),
            (
                Method::GET,
                "/api/v2/item_upload/suggestions/categories",
                Operation::Suggestions,
            ),
        ] {
            assert_eq!(Operation::of(&method, path), Some(operation), "{path}");
            assert!(Operation::Ontology.covers(operation), "{path}");
        }
        assert_eq!(
            Operation::of(&Method::POST, "/api/v2/item_upload/items"),
            Some(Operation::Publish)
        );
        assert!(!Operation::Ontology.covers(Operation::Publish));
    }
}
