//! Telling people: from what the configuration says of it to what does it.

mod channels;
mod trial;

pub(crate) use channels::{Channels, channels, load};
pub(crate) use trial::{said, test};
