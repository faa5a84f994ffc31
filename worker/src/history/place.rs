//! Where the history is kept, for who writes it and for who asks.

use crate::exit::Failure;
use crate::settings::{Mode, Settings};
use crate::state_dir;
use anyhow::anyhow;
use dixmgr_contract::HostName;
use dixmgr_history::{FILE_NAME, Keep, Target};
use dixmgr_model::Config;
use std::path::{Path, PathBuf};

/// The file of a dry run, which touches nothing of a live one.
const DRY_FILE_NAME: &str = "history-watch.db";

/// Where, and how much.
pub(crate) struct Place {
    pub(crate) target: Target,
    pub(crate) keep: Keep,
}

/// Where a run writes. A dry run has a file of its own, wherever the live one writes.
///
/// # Errors
/// `[history] url` is none.
pub(crate) fn of_run(settings: &Settings) -> Result<Place, Failure> {
    let history = &settings.config.history;
    let keep =
        Keep { all: history.retention, raw: history.raw, five_minutes: history.five_minutes, bytes: history.max_size };
    let target = match settings.mode {
        Mode::Exec => of_config(&settings.config, &settings.state_dir)?,
        Mode::Watch => Target::file(settings.state_dir.join(DRY_FILE_NAME)),
    };
    Ok(Place { target, keep })
}

/// Where a configuration says; files are in `folder`.
///
/// # Errors
/// `[history] url` is none.
pub(crate) fn of_config(config: &Config, folder: &Path) -> Result<Target, Failure> {
    Target::parse(config.history.url.expose(), folder)
        .map_err(|error| Failure::Config(format!("{}: history.url {error}", config.source)))
}

const fn file_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Exec => FILE_NAME,
        Mode::Watch => DRY_FILE_NAME,
    }
}

/// Where the history of a host of this machine is, to be read: of the one that is named, else of the one that has this machine's
/// name, else of the only one that there is.
///
/// # Errors
/// There is none, or there are several to choose from.
pub(crate) fn to_read(root: &Path, host: Option<&HostName>, mode: Mode) -> Result<Target, Failure> {
    let is_dry = mode == Mode::Watch;
    let file = |host: &HostName| state_dir::folder(root, host, is_dry).join(file_name(mode));
    if let Some(host) = host {
        return Ok(Target::file(file(host)));
    }
    let own = crate::host::name(None).ok().map(|host| file(&host)).filter(|file| file.exists());
    let mut found = own.map_or_else(|| all(root, file_name(mode)), |file| vec![file]);
    match (found.pop(), found.is_empty()) {
        (Some(only), true) => Ok(Target::file(only)),
        (Some(last), false) => {
            found.push(last);
            let folders = found.iter().filter_map(|file| file.parent()?.file_name());
            let names: Vec<_> =
                folders.map(|name| name.to_string_lossy().trim_end_matches(".dry").to_owned()).collect();
            let names = names.join(", ");
            let root = root.display();
            Err(Failure::Failed(anyhow!("{root} has the history of several hosts; choose one with -host: {names}")))
        }
        (None, _) => Err(Failure::Failed(anyhow!(
            "there is no history below {}: dixmgr makes it when it runs; name its folder with -state-dir",
            root.display()
        ))),
    }
}

/// Where a command records what somebody does here: where its configuration says, if it is given one, else in the state folder. A file
/// that no dixmgr has made is not made.
pub(crate) fn to_write(root: &Path, host: &HostName, conf: Option<&Path>) -> Option<Target> {
    let folder = state_dir::folder(root, host, false);
    let target = match conf {
        // The command has read it before, and said what is wrong with it.
        Some(file) => of_config(&dixmgr_model::load(file).ok()?, &folder).ok()?,
        None => Target::file(folder.join(FILE_NAME)),
    };
    target.path().is_none_or(Path::exists).then_some(target)
}

/// The files of this name in the folders of a root, by name.
fn all(root: &Path, name: &str) -> Vec<PathBuf> {
    let folders = std::fs::read_dir(root).into_iter().flatten().flatten();
    let mut found: Vec<_> = folders.map(|folder| folder.path().join(name)).filter(|file| file.exists()).collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_host_is_found_and_several_are_to_be_chosen_from() {
        let root = std::env::temp_dir().join(format!("dixmgr-place-{}", std::process::id()));
        let said = |mode| match to_read(&root, None, mode) {
            Ok(target) => target.to_string(),
            Err(Failure::Failed(error)) => error.to_string(),
            Err(other) => format!("{other:?}"),
        };
        assert!(said(Mode::Exec).contains("there is no history below"), "{}", said(Mode::Exec));
        let make = |folder: &str, file: &str| {
            std::fs::create_dir_all(root.join(folder)).unwrap();
            std::fs::write(root.join(folder).join(file), "").unwrap();
        };
        make("alpha.example", FILE_NAME);
        make("alpha.example.dry", DRY_FILE_NAME);
        assert!(said(Mode::Exec).ends_with("/alpha.example/history.db"), "{}", said(Mode::Exec));
        assert!(said(Mode::Watch).ends_with("/alpha.example.dry/history-watch.db"), "{}", said(Mode::Watch));
        make("beta.example", FILE_NAME);
        assert!(said(Mode::Exec).ends_with("choose one with -host: alpha.example, beta.example"));
        let named = to_read(&root, Some(&"beta.example".parse().unwrap()), Mode::Exec).unwrap();
        assert!(named.to_string().ends_with("/beta.example/history.db"));
        std::fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn what_somebody_does_is_recorded_where_the_configuration_says_else_where_a_dixmgr_has_run() {
        let root = std::env::temp_dir().join(format!("dixmgr-record-{}", std::process::id()));
        let (conf, host) = (root.join("x.toml"), HostName::new("alpha").unwrap());
        std::fs::create_dir_all(root.join("alpha")).unwrap();
        let place = |conf: Option<&Path>| to_write(&root, &host, conf).map(|target| target.to_string());
        let write = |url: &str| {
            let text = format!("[services.api]\nunit = \"api.service\"\n[history]\nurl = \"{url}\"\n");
            std::fs::write(&conf, text).unwrap();
        };
        assert_eq!(place(None), None);
        write("sqlite");
        assert_eq!(place(Some(&conf)), None);
        write("postgres://dix:hush@db.example/history");
        assert_eq!(place(Some(&conf)).as_deref(), Some("postgres://db.example:5432/history"));
        assert_eq!(place(None), None);
        std::fs::write(root.join("alpha").join(FILE_NAME), "").unwrap();
        assert!(place(None).is_some_and(|file| file.ends_with("/alpha/history.db")));
        std::fs::remove_dir_all(&root).unwrap();
    }
}
