//! A PostgreSQL server of the test's own: programs of the host's package, data in a folder of the test, a socket in it.
//!
//! The server refuses to run as root; there the test gives it to the user `nobody`.

use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);
/// Free of the characters that a URL would need escaped.
pub(crate) const PASSWORD: &str = "hush-hush";

pub(crate) struct Server {
    folder: tempfile::TempDir,
    programs: PathBuf,
    child: Option<Child>,
    /// Where it listens beside its socket, with TLS.
    port: Option<u16>,
}

/// The folder of `postgres`, `initdb` and `psql`: on the PATH, or where Debian has them.
fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<_> = std::env::split_paths(&path).collect();
    let mut versions: Vec<_> = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().collect();
    versions
        .sort_by_key(|entry| std::cmp::Reverse(entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok())));
    folders.extend(versions.iter().map(|entry| entry.path().join("bin")));
    // On the PATH there may be links to some of them.
    let real = |folder: PathBuf| Some(folder.join("postgres").canonicalize().ok()?.parent()?.to_owned());
    let has = |folder: &PathBuf| ["postgres", "initdb", "psql"].iter().all(|name| folder.join(name).is_file());
    folders.into_iter().filter_map(real).find(has)
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0)
}

/// The numbers of the user `nobody`.
fn nobody() -> (u32, u32) {
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let line = users.lines().find(|line| line.starts_with("nobody:")).unwrap();
    let fields: Vec<_> = line.split(':').collect();
    (fields[2].parse().unwrap(), fields[3].parse().unwrap())
}

impl Server {
    /// Starts one. Absent, and said loudly, if there are no programs for it; in CI that is a failure.
    pub(crate) fn start(test: &str) -> Option<Self> {
        let Some(programs) = programs() else {
            let missing = "PostgreSQL (apt-get install postgresql)";
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{test} needs {missing}");
            // Past the test harness, which would swallow it.
            let _ = writeln!(std::io::stderr(), "\n*** SKIPPED {test}: it needs {missing} ***");
            return None;
        };
        let mut server = Self { folder: tempfile::tempdir().unwrap(), programs, child: None, port: None };
        std::fs::write(server.folder.path().join("password"), PASSWORD).unwrap();
        if is_root() {
            let (user, group) = nobody();
            chown(server.folder.path(), Some(user), Some(group)).unwrap();
            chown(server.folder.path().join("password"), Some(user), Some(group)).unwrap();
        }
        let output = server
            .program("initdb")
            .args([
                "--username=dixmgr",
                "--auth=scram-sha-256",
                "--pwfile=password",
                "--no-sync",
                "--locale=C.UTF-8",
                "data",
            ])
            .output()
            .unwrap();
        assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
        server.up();
        Some(server)
    }

    fn program(&self, name: &str) -> Command {
        let program = self.programs.join(name);
        let mut command = if is_root() {
            let (user, group) = nobody();
            let mut command = Command::new("setpriv");
            command.args([format!("--reuid={user}"), format!("--regid={group}"), "--clear-groups".into()]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    /// Listens on a port of the loopback from now on, with this certificate.
    pub(crate) fn listen(&mut self, certificate: &str, key: &str) -> u16 {
        self.down();
        // Free just now.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        for (name, text) in [("server.crt", certificate), ("server.key", key)] {
            let path = self.folder.path().join("data").join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            if is_root() {
                let (user, group) = nobody();
                chown(&path, Some(user), Some(group)).unwrap();
            }
        }
        self.port = Some(port);
        self.up();
        port
    }

    /// A file for the other side.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// Starts it, and waits until it answers.
    pub(crate) fn up(&mut self) {
        let log = std::fs::File::create(self.folder.path().join("log")).unwrap();
        let child = self
            .program("postgres")
            .args(["-D", "data", "-k"])
            .arg(self.folder.path())
            .args(["-c", "fsync=off", "-c", "shared_buffers=16MB"])
            .args(match self.port {
                None => vec!["-c".to_owned(), "listen_addresses=".into()],
                Some(port) => ["-c", "listen_addresses=127.0.0.1", "-c", "ssl=on", "-p", &port.to_string()]
                    .map(str::to_owned)
                    .into(),
            })
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
        let deadline = Instant::now() + PATIENCE;
        while !self.log().contains("database system is ready to accept connections") {
            assert!(Instant::now() < deadline, "{}", self.log());
            pause();
        }
    }

    /// Ends it at once, as a crash would.
    pub(crate) fn down(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Its children notice that it is gone, and the next start waits for the last of them.
            let pid = rustix::process::Pid::from_child(&child);
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::QUIT);
            let _ = child.wait();
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// How to reach a database on it.
    pub(crate) fn url(&self, user: &str, database: &str) -> String {
        let folder = self.folder.path().display().to_string().replace('/', "%2F");
        format!("postgres://{user}:{PASSWORD}@{folder}/{database}")
    }

    /// An empty database.
    pub(crate) fn database(&self, name: &str) -> String {
        let sql = format!("CREATE DATABASE {name}");
        self.sql("postgres", &sql);
        self.url("dixmgr", name)
    }

    pub(crate) fn sql(&self, database: &str, sql: &str) -> String {
        let output = self
            .program("psql")
            .env("PGPASSWORD", PASSWORD)
            .args(["-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "dixmgr", "-d", database, "-c", sql, "-h"])
            .arg(self.folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.down();
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the waiting for a condition with a deadline")]
fn pause() {
    std::thread::sleep(Duration::from_millis(10));
}
