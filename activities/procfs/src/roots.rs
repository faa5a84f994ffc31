//! Where `/proc` and the rest begin: everything is read under one folder, so that tests can make a machine of their own.

use std::path::{Path, PathBuf};

/// The folder under which `/proc`, `/sys` and `/run` are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roots {
    base: PathBuf,
    proc: PathBuf,
}

impl Default for Roots {
    /// This machine.
    fn default() -> Self {
        Self::under("/")
    }
}

impl Roots {
    /// Everything under `base`: `base/proc`, `base/sys`, `base/run`.
    pub fn under(base: impl Into<PathBuf>) -> Self {
        let base = base.into();
        Self { proc: base.join("proc"), base }
    }

    /// `/proc`.
    pub(crate) fn proc(&self) -> &Path {
        &self.proc
    }

    /// An absolute path of the machine.
    pub(crate) fn at(&self, path: &Path) -> PathBuf {
        self.base.join(path.strip_prefix("/").unwrap_or(path))
    }
}
