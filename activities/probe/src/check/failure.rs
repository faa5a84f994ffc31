//! Why there is no answer, and whose fault that is.
//!
//! A check that fails by our own fault says nothing of its endpoint: it must never make a service look down. Ours are a
//! shortage (descriptors, memory, ports), no way out of this host, a permission that we lack, a resolver that is silent,
//! a proxy that does not do its work, files that cannot be read.

use crate::text;
use std::{error::Error, io};

/// Why there is no answer, in one line without secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// Ours: nothing is known of the endpoint.
    #[error("{0}")]
    Ours(String),
    /// The endpoint's, or what lies before it.
    #[error("{0}")]
    Theirs(String),
    /// The endpoint is there and has said no, or has shown what nobody may trust.
    #[error("{0}")]
    Answered(String),
    /// Its certificate has expired.
    #[error("{0}")]
    Expired(String),
}

impl Failure {
    pub(crate) fn theirs(what: &str, reason: impl Into<String>) -> Self {
        Self::Theirs(format!("{what}: {}", reason.into()))
    }

    /// What the endpoint itself has said.
    pub(crate) fn answered(what: &str, reason: impl Into<String>) -> Self {
        Self::Answered(format!("{what}: {}", reason.into()))
    }

    /// From what the system says.
    pub(crate) fn io(what: &str, error: &io::Error) -> Self {
        Self::of(what, error)
    }

    /// From an error with others inside: the innermost one says the most, and repeats the least.
    pub(crate) fn of(what: &str, error: &(dyn Error + 'static)) -> Self {
        let reason = chain(error).last().map_or_else(String::new, |inner| text::short(&inner.to_string()));
        let said = format!("{what}: {reason}");
        if is_ours(error) { Self::Ours(said) } else { Self::Theirs(said) }
    }
}

/// What an error is about. An [`io::Error`] hides the one that it wraps from [`Error::source`].
fn within<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

/// Whether an error, or one inside it, is a fault of ours.
pub(crate) fn is_ours(error: &(dyn Error + 'static)) -> bool {
    chain(error)
        .any(|inner| code(inner).is_some_and(is_our_code) || matches!(inner.downcast_ref(), Some(Failure::Ours(_))))
}

/// Whether an error, or one inside it, is what the system said.
pub(crate) fn is_of_the_system(error: &(dyn Error + 'static)) -> bool {
    chain(error).any(|inner| code(inner).is_some())
}

fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |inner| within(*inner))
}

fn code(error: &(dyn Error + 'static)) -> Option<i32> {
    error.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error)
}

/// Shortages of this host, no way out of it, no permission on it (`errno(3)`; the same numbers on all of Linux that we run on).
fn is_our_code(code: i32) -> bool {
    use rustix::io::Errno;
    [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOBUFS, Errno::ADDRNOTAVAIL, Errno::NETUNREACH, Errno::NETDOWN]
        .iter()
        .chain(&[Errno::ACCESS, Errno::PERM])
        .any(|errno| errno.raw_os_error() == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortage_is_ours_and_a_refusal_is_theirs() {
        let of = |code| Failure::io("a", &io::Error::from_raw_os_error(code));
        assert!(matches!(of(24), Failure::Ours(_)), "too many open files");
        assert!(matches!(of(101), Failure::Ours(_)), "network unreachable");
        assert!(matches!(of(111), Failure::Theirs(_)), "connection refused");
        assert!(matches!(of(104), Failure::Theirs(_)), "connection reset");
        assert!(is_ours(&io::Error::other(Failure::Ours("a".into()))));
        assert!(!is_ours(&io::Error::other(Failure::Theirs("a".into()))));
        let hidden = io::Error::other(io::Error::from_raw_os_error(24));
        assert_eq!(Failure::io("a", &hidden), Failure::Ours("a: Too many open files (os error 24)".into()));
    }
}
