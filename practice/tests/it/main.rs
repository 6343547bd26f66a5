//! The site as its callers meet it, over HTTP.

mod appearance;
mod challenges;
mod misbehaviour;
mod own_items;
mod publishing;
mod refresh;
mod rig;
mod sessions;
