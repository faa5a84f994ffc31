//! The host's own authorities of TLS: whom we trust where nobody names another.
//!
//! They are read when they are first needed, and kept. Not being able to read them is our own fault, and passes: too many
//! open files at the first look must not make every certificate one of nobody for as long as we run. So what is not whole
//! is an error, and not kept. A file that is broken, or not for us, among others that are good is nothing to stop for.

use crate::text;
use rustix::io::Errno;
use rustls::RootCertStore;
use rustls_native_certs::{CertificateResult, ErrorKind};
use std::sync::{Arc, Mutex, PoisonError};

/// Reads them, which blocks for as long as that takes.
pub(crate) type Reader = fn() -> CertificateResult;

/// Those of the host, or of a test.
#[derive(Debug)]
pub(crate) struct Authorities {
    read: Reader,
    kept: Mutex<Option<Arc<RootCertStore>>>,
}

impl Default for Authorities {
    fn default() -> Self {
        Self::read_by(rustls_native_certs::load_native_certs)
    }
}

impl Authorities {
    pub(crate) const fn read_by(read: Reader) -> Self {
        Self { read, kept: Mutex::new(None) }
    }

    /// All of them; never none.
    ///
    /// # Errors
    /// Why there are none, in words for people. The next call tries again.
    pub(crate) fn get(&self) -> Result<Arc<RootCertStore>, String> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(roots) = &*kept {
            return Ok(roots.clone());
        }
        let roots = Arc::new(whole((self.read)())?);
        *kept = Some(roots.clone());
        Ok(roots)
    }
}

fn whole(found: CertificateResult) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    let short = found.errors.iter().find(|error| is_shortage(&error.kind));
    let why = match short.or(found.errors.first()) {
        Some(error) if short.is_some() || roots.is_empty() => text::short(&error.to_string()),
        None if roots.is_empty() => "there are none; is the package `ca-certificates` installed?".to_owned(),
        _ => return Ok(roots),
    };
    Err(format!("this host's authorities cannot be read: {why}"))
}

/// It says nothing of the files.
fn is_shortage(kind: &ErrorKind) -> bool {
    let ErrorKind::Io { inner, .. } = kind else { return false };
    let shortages = [Errno::MFILE, Errno::NFILE, Errno::NOMEM];
    shortages.iter().any(|errno| inner.raw_os_error() == Some(errno.raw_os_error()))
}

#[cfg(test)]
pub(crate) use tests::found;

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io,
        sync::atomic::{AtomicUsize, Ordering},
    };

    /// With an authority or without, and an error or none.
    pub(crate) fn found(is_there: bool, code: Option<i32>) -> CertificateResult {
        let mut found = CertificateResult::default();
        if is_there {
            let key = rcgen::KeyPair::generate().unwrap();
            let params = rcgen::CertificateParams::new(Vec::new()).unwrap();
            found.certs.push(params.self_signed(&key).unwrap().der().clone());
        }
        found.errors.extend(code.map(|code| rustls_native_certs::Error {
            context: "failed to open file",
            kind: ErrorKind::Io { inner: io::Error::from_raw_os_error(code), path: "/ca.pem".into() },
        }));
        found
    }

    #[test]
    fn what_is_not_whole_for_a_shortage_or_empty_is_an_error() {
        assert_eq!(whole(found(true, None)).unwrap().len(), 1);
        // Not for us to read.
        assert_eq!(whole(found(true, Some(13))).unwrap().len(), 1);
        for (found, said) in [
            (found(false, None), "there are none"),
            (found(false, Some(13)), "Permission denied"),
            (found(false, Some(24)), "Too many open files"),
            (found(true, Some(24)), "Too many open files"),
        ] {
            let why = whole(found).unwrap_err();
            assert!(why.contains(said), "{why}");
        }
    }

    #[test]
    fn they_are_read_again_until_they_are_there_and_then_no_more() {
        static READS: AtomicUsize = AtomicUsize::new(0);
        let authorities = Authorities::read_by(|| match READS.fetch_add(1, Ordering::SeqCst) {
            0 => found(false, Some(24)),
            _ => found(true, None),
        });
        let lengths = [(); 4].map(|()| authorities.get().map(|roots| roots.len()).ok());
        assert_eq!((lengths, READS.load(Ordering::SeqCst)), ([None, Some(1), Some(1), Some(1)], 2));
    }
}
