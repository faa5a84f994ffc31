//! A Temporal dev server with its data in a file, so that it can be killed and found again.

use crate::sandbox::FOLDER;
use crate::temporal::Temporal;
use crate::wait_until;
use std::fs::File;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Where the server listens: the network is the test's own.
pub const ADDRESS: &str = "127.0.0.1:7233";
/// The namespace that dixmgr uses if nobody says.
pub const NAMESPACE: &str = "dotidx";

/// A running server.
#[derive(Debug)]
pub struct TemporalServer {
    child: Child,
}

impl TemporalServer {
    /// Starts a server with the namespace of dixmgr; on the data of the one before, if there was one.
    pub fn start() -> Self {
        Self::start_with(&["--namespace", NAMESPACE])
    }

    /// The same, also for other machines.
    pub fn start_for_all() -> Self {
        Self::start_with(&["--namespace", NAMESPACE, "--ip", "0.0.0.0"])
    }

    /// Starts a server with these arguments more.
    ///
    /// # Panics
    /// If it does not listen within a minute.
    pub fn start_with(arguments: &[&str]) -> Self {
        let log = File::options().create(true).append(true).open(Path::new(FOLDER).join("temporal.log")).unwrap();
        let child = Command::new("temporal")
            .args(["server", "start-dev", "--headless", "--log-level", "error", "--port", "7233"])
            .arg("--db-filename")
            .arg(Path::new(FOLDER).join("temporal.db"))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut server = Self { child };
        wait_until("the Temporal server listens", || {
            assert!(server.child.try_wait().unwrap().is_none(), "the Temporal server has ended");
            TcpStream::connect(ADDRESS).is_ok()
        });
        server
    }

    /// Connects to dixmgr's namespace.
    pub fn connect(&self) -> Temporal {
        Temporal::connect(ADDRESS)
    }

    /// `kill -9`. The data stays.
    pub fn kill(mut self) {
        self.end();
    }

    /// Removes all data of a server that was killed.
    pub fn forget() {
        for file in ["temporal.db", "temporal.db-wal", "temporal.db-shm"] {
            let _ = std::fs::remove_file(Path::new(FOLDER).join(file));
        }
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for TemporalServer {
    fn drop(&mut self) {
        self.end();
    }
}
