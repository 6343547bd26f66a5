//! The practice site over HTTP.

mod appearance;
mod buyers;
mod challenges;
mod inbox;
mod misbehaviour;
mod own_items;
mod publishing;
mod refresh;
mod replies;
mod rig;
mod sessions;
