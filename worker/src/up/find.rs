//! Finding the `temporal` executable: PATH, `$DIXMGR_TEMPORAL`, the release download, `go install`.

use anyhow::{Context, anyhow, bail};
use serde::Deserialize;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::process::Command;

const VERSION: &str = "v1.5.1";
const PACKAGE: &str = "github.com/temporalio/cli/cmd/temporal";
/// Where the SDKs' ephemeral servers come from.
const DOWNLOADS: &str = "https://temporal.download/cli/default";
const ASK_TIMEOUT: Duration = Duration::from_secs(10);
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(300);
const MAX_ARCHIVE: usize = 512 << 20;

/// An executable that can be started.
pub(super) async fn temporal() -> anyhow::Result<PathBuf> {
    if let Some(found) = on_path("temporal") {
        return Ok(found);
    }
    if let Some(given) = std::env::var_os("DIXMGR_TEMPORAL").map(PathBuf::from) {
        if given.is_file() {
            return Ok(given);
        }
        tracing::warn!(path = %given.display(), "$DIXMGR_TEMPORAL names no file");
    }
    let cache = cache_dir();
    let cached = cache.join(format!("temporal-{VERSION}"));
    if cached.is_file() {
        return Ok(cached);
    }
    std::fs::create_dir_all(&cache).with_context(|| format!("cannot make {}", cache.display()))?;
    let download = match download(&cache, &cached).await {
        Ok(()) => return Ok(cached),
        Err(error) => error,
    };
    tracing::info!("no download of Temporal ({download:#}); building it with go, which takes a few minutes");
    match go_install(&cache).await {
        Ok(built) => {
            std::fs::rename(&built, &cached).with_context(|| format!("cannot move {}", built.display()))?;
            Ok(cached)
        }
        Err(build) => Err(anyhow!(
            "no Temporal server to run. Any one of these will do:\n  \
             - put `temporal` (the Temporal CLI, which carries the server) on the PATH\n  \
             - set DIXMGR_TEMPORAL to its path\n  \
             - let this machine reach {DOWNLOADS} ({download:#})\n  \
             - install Go, for `go install {PACKAGE}@{VERSION}` ({build:#})\n  \
             - run `dixmgr -exec` against a Temporal server that is there already, with -temporal-host"
        )),
    }
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

fn cache_dir() -> PathBuf {
    let from_env = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || from_env("HOME").unwrap_or_else(std::env::temp_dir).join(".cache");
    from_env("XDG_CACHE_HOME").unwrap_or_else(home).join("dixmgr")
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Release {
    archive_url: String,
    file_to_extract: String,
}

/// The way of the SDK's ephemeral server: ask where the release is, fetch the archive, take one file out of it.
async fn download(cache: &Path, target: &Path) -> anyhow::Result<()> {
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => bail!("there is no release for {other}"),
    };
    let http = reqwest::Client::builder().connect_timeout(ASK_TIMEOUT).build()?;
    let url = format!(
        "{DOWNLOADS}?arch={arch}&platform=linux&format=tar.gz&sdk-name=sdk-rust&sdk-version={}",
        env!("CARGO_PKG_VERSION")
    );
    let answer = http.get(url).timeout(ASK_TIMEOUT).send().await?.error_for_status()?.bytes().await?;
    let release: Release = serde_json::from_slice(&answer)?;
    tracing::info!(url = release.archive_url, "downloading Temporal");
    let archive = http.get(&release.archive_url).timeout(DOWNLOAD_TIMEOUT).send().await?.error_for_status()?;
    if archive.content_length().is_some_and(|length| length > MAX_ARCHIVE as u64) {
        bail!("the archive is larger than {MAX_ARCHIVE} bytes");
    }
    let file = cache.join("temporal.tar.gz");
    std::fs::write(&file, archive.bytes().await?)?;
    let unpacked = Command::new("tar")
        .arg("-xzf")
        .arg(&file)
        .arg("-C")
        .arg(cache)
        .arg("--")
        .arg(&release.file_to_extract)
        .status()
        .await?;
    std::fs::remove_file(&file)?;
    if !unpacked.success() {
        bail!("tar could not unpack it");
    }
    Ok(std::fs::rename(cache.join(&release.file_to_extract), target)?)
}

async fn go_install(cache: &Path) -> anyhow::Result<PathBuf> {
    let progress = tokio::spawn(show_progress("building Temporal"));
    let output =
        Command::new("go").arg("install").arg(format!("{PACKAGE}@{VERSION}")).env("GOBIN", cache).output().await;
    progress.abort();
    let output = output.context("cannot run go")?;
    if !output.status.success() {
        let last = String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default().to_owned();
        bail!("go install: {last}");
    }
    Ok(cache.join("temporal"))
}

/// A person at a terminal sees that it goes on.
async fn show_progress(what: &str) {
    let terminal = std::io::stderr().is_terminal();
    for seconds in 0_u32.. {
        if terminal {
            eprint!("\r{what}: {seconds} s ");
        } else if seconds > 0 && seconds % 30 == 0 {
            eprintln!("{what}: {seconds} s");
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
