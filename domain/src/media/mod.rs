//! Photos: what becomes of an uploaded picture, and where its bytes are kept.

pub mod files;
pub mod pipeline;
