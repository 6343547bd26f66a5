//! Helpers and chapters of the story. To add a chapter, add a function in `story.rs`, or a module here if it is long.

pub mod bucket;
pub mod canary;
pub mod changes;
pub mod collector;
pub mod consent;
pub mod database;
pub mod hand;
pub mod inbox;
pub mod inbox_killed;
pub mod kinds;
pub mod person;
pub mod postgres;
pub mod published;
pub mod refusals;
pub mod removal;
pub mod scheduled;
pub mod sessions;
pub mod wardrobe;
pub mod watched;
pub mod windows;
pub mod world;
