//! The Temporal activities: the contract on one side, the adapters on the other.
//!
//! The only code with `#[activities]`. It reads arguments, checks what may be done on this host at all, calls an adapter
//! and turns the result into the contract's words. It also joins the SDK's metrics and interceptors to ours, so that no
//! adapter knows Temporal and `flows` knows no adapter.

mod attributes;
mod beat;
mod call;
mod endpoints;
mod fleet;
mod guard;
mod lease;
mod meter;
mod node;
mod not_known;
mod order;
mod post;
mod sdk_meter;
mod slots;
mod telling;
mod unit;
mod usage;

pub use endpoints::Endpoints;
pub use fleet::FleetActivities;
pub use guard::Allowed;
pub use lease::{LeaseActivities, LeaseStanding};
pub use meter::{ActivityMeter, WorkflowMeter};
pub use node::Nodes;
pub use order::{OrderEnd, OrderNews, Witness};
pub use post::open_workflows;
pub use sdk_meter::{OnFailure, OnTaken, SdkMeter};
pub use telling::{Happened, Telling, TellingActivities, Told};
pub use unit::{HostActivities, Recheck, WaitedInVain};
