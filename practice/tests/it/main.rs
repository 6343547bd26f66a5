//! The site as its callers meet it, over HTTP.

mod misbehaviour;
mod publishing;
mod rig;
mod sessions;
