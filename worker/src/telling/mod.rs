//! Telling people: from what the configuration says of it to what does it.

mod channels;

pub(crate) use channels::channels;
