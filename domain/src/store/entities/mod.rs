//! The entities: one module per table, with the columns that the migrations create.
//!
//! Lists are JSON text, because the engines have no common array type.

pub mod account_locks;
pub mod accounts;
pub mod api_tokens;
pub mod attempts;
pub mod catalogs;
pub mod effects;
pub mod event_heads;
pub mod events;
pub mod file_removals;
pub mod inbox_syncs;
pub mod instance;
pub mod invitations;
pub mod jobs;
pub mod listing_form_sessions;
pub mod listing_photos;
pub mod listings;
pub mod mail_tokens;
pub mod messages;
pub mod move_positions;
pub mod people;
pub mod photos;
pub mod publish_jobs;
pub mod publish_steps;
pub mod remote_items;
pub mod replies;
pub mod requests;
pub mod schedules;
pub mod search_documents;
pub mod search_indexes;
pub mod sessions;
pub mod templates;
pub mod thread_labels;
pub mod threads;
pub mod user_sessions;
pub mod users;
pub mod wardrobe_imports;
pub mod webhook_attempts;
pub mod webhook_deliveries;
pub mod webhook_endpoints;
pub mod workers;
pub mod workspaces;
