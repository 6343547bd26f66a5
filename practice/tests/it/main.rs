//! The site as its callers meet it, over HTTP.

mod challenges;
mod misbehaviour;
mod publishing;
mod refresh;
mod rig;
mod sessions;
