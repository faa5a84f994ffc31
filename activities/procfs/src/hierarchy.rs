//! Where cgroups are mounted, and where a unit's is among them.
//!
//! Three set-ups exist: v2 alone; v1, with a tree for each controller and one for systemd; and hybrid, v1 with an additional
//! v2 tree in which systemd puts the same units. A v2 tree without controllers still counts CPU time.

use crate::roots::Roots;
use procfs::process::MountInfo;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Most of `mountinfo` that is read: some 30,000 mounts.
const LARGEST: u64 = 4 << 20;

/// One mounted tree of cgroups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tree {
    /// Where it is mounted, under the roots.
    pub(crate) point: PathBuf,
    /// The cgroup that is its root: not `/` if only a part of the tree is mounted, as in some containers.
    pub(crate) top: String,
}

impl Tree {
    /// The folder of a unit's cgroup.
    pub(crate) fn folder(&self, cgroup: &Path) -> PathBuf {
        let inside = cgroup.strip_prefix(&self.top).ok();
        self.point.join(inside.or_else(|| cgroup.strip_prefix("/").ok()).unwrap_or(cgroup))
    }
}

/// The trees of a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hierarchies {
    /// v2's, alone or in the hybrid set-up.
    pub(crate) unified: Option<Tree>,
    /// systemd's own of v1.
    pub(crate) systemd: Option<Tree>,
    /// v1's controller `cpuacct`.
    pub(crate) cpuacct: Option<Tree>,
    /// v1's controller `memory`.
    pub(crate) memory: Option<Tree>,
}

impl Hierarchies {
    /// Reads `/proc/self/mountinfo`. What cannot be read is not there.
    pub(crate) fn find(roots: &Roots) -> Self {
        let mut text = Vec::new();
        if let Ok(file) = std::fs::File::open(roots.proc().join("self/mountinfo")) {
            // What was read until an error counts.
            let _ = file.take(LARGEST).read_to_end(&mut text);
        }
        Self::read(&String::from_utf8_lossy(&text), roots)
    }

    /// The first mount of each tree wins. A line that cannot be read is somebody else's odd mount, and skipped.
    pub(crate) fn read(mountinfo: &str, roots: &Roots) -> Self {
        let mut found = Self::default();
        for line in mountinfo.lines().filter(|line| line.contains(" cgroup")) {
            let Ok(mount) = MountInfo::from_line(line) else { continue };
            let tree = || Tree { point: roots.at(&plain(&mount.mount_point)), top: mount.root.clone() };
            let has = |option: &str| mount.super_options.contains_key(option);
            if mount.fs_type == "cgroup2" {
                found.unified.get_or_insert_with(tree);
            } else if mount.fs_type == "cgroup" {
                let named = mount.super_options.get("name").and_then(Option::as_deref);
                if named == Some("systemd") {
                    found.systemd.get_or_insert_with(tree);
                }
                if has("cpuacct") {
                    found.cpuacct.get_or_insert_with(tree);
                }
                if has("memory") {
                    found.memory.get_or_insert_with(tree);
                }
            }
        }
        found
    }
}

/// Undoes the kernel's octal escapes of blank, tab, line end and backslash (`mangle`, `fs/proc_namespace.c`).
fn plain(path: &Path) -> PathBuf {
    let escapes = [(r"\040", " "), (r"\011", "\t"), (r"\012", "\n"), (r"\134", "\\")];
    let text = path.to_string_lossy();
    PathBuf::from(escapes.iter().fold(text.into_owned(), |text, (escape, is)| text.replace(escape, is)))
}

/// The unit's `ControlGroup` as a path; none if it does not run (`""`), or if the text is not the path of a cgroup below the
/// root: nothing outside the tree is ever read.
pub(crate) fn checked(control_group: &str) -> Option<&Path> {
    let inner = control_group.strip_prefix('/')?;
    let is_name = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains('\0');
    (control_group.len() < 4096 && inner.split('/').all(is_name)).then(|| Path::new(control_group))
}
