//! Telling people: from what the configuration says of it to what does it.

mod channels;
mod trial;

pub(crate) use channels::channels;
pub(crate) use trial::{said, test};
