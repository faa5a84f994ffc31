//! A damaged file is moved out of the way, not deleted and not repaired: what is in it may still be read by somebody who
//! knows how (`sqlite3 FILE .recover`), and a new one is begun at once.

use dixmgr_contract::Time;
use std::io;
use std::path::{Path, PathBuf};

/// So many damaged files are kept; a disk that fails must not be filled with them.
const KEPT: usize = 3;
/// What SQLite has beside a file.
const BESIDE: [&str; 2] = ["-wal", "-shm"];

/// Moves the file to `FILE.corrupt-<seconds since 1970>`, and what belongs to it along; where it is now.
pub(crate) fn set_aside(path: &Path, now: Time) -> io::Result<PathBuf> {
    let aside = with_suffix(path, &format!(".corrupt-{}", now.unix_millis() / 1000));
    std::fs::rename(path, &aside)?;
    for suffix in BESIDE {
        match std::fs::rename(with_suffix(path, suffix), with_suffix(&aside, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    forget_old(path);
    Ok(aside)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn forget_old(path: &Path) {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return;
    };
    let prefix = format!("{name}.corrupt-");
    let number = |entry: io::Result<std::fs::DirEntry>| {
        let name = entry.ok()?.file_name();
        name.to_str()?.strip_prefix(&prefix)?.parse::<u64>().ok()
    };
    let mut found: Vec<u64> = std::fs::read_dir(folder).into_iter().flatten().filter_map(number).collect();
    found.sort_unstable();
    for old in found.iter().rev().skip(KEPT) {
        let old = with_suffix(path, &format!(".corrupt-{old}"));
        for file in [with_suffix(&old, BESIDE[0]), with_suffix(&old, BESIDE[1]), old] {
            // One that cannot be deleted is in nobody's way.
            let _ = std::fs::remove_file(file);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_goes_with_what_is_beside_it_and_only_the_newest_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.db");
        for second in 1..=5 {
            std::fs::write(&path, "garbage").unwrap();
            std::fs::write(folder.path().join("history.db-wal"), "more").unwrap();
            let aside = set_aside(&path, Time::from_unix_millis(second * 1000)).unwrap();
            assert!(aside.to_string_lossy().ends_with(&format!("history.db.corrupt-{second}")));
        }
        let mut names: Vec<_> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let expected = [3, 4, 5].map(|n| [format!("history.db.corrupt-{n}"), format!("history.db.corrupt-{n}-wal")]);
        assert_eq!(names, expected.concat());
    }
}
