//! The threads on which all is awaited, and how they end.
//!
//! A thread that blocks cannot be ended from outside: one that reads a file of a host that is gone, or resolves a name. tokio's runtime
//! waits for such a thread when it is dropped, for ever if need be, and whoever sent SIGTERM waits too.

use std::time::Duration;

/// Whatever still runs this long after all else is done is left to the end of the process.
const GRACE: Duration = Duration::from_secs(2);

/// tokio's runtime.
pub(crate) struct Runtime {
    tokio: tokio::runtime::Runtime,
}

/// # Errors
/// The system gives us no threads.
pub(crate) fn runtime() -> anyhow::Result<Runtime> {
    Ok(Runtime { tokio: tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()? })
}

impl Runtime {
    /// Waits for something in between.
    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.tokio.block_on(future)
    }

    /// Waits for the last there is to do. What else was begun has a moment to end.
    pub(crate) fn complete<T>(self, future: impl Future<Output = T>) -> T {
        let result = self.tokio.block_on(future);
        self.tokio.shutdown_timeout(GRACE);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn what_blocks_for_ever_does_not_hold_up_the_end() {
        let (never, blocks) = mpsc::channel::<()>();
        let (begin, begun) = mpsc::channel();
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            runtime().unwrap().complete(async move {
                tokio::task::spawn_blocking(move || {
                    let _ = begin.send(());
                    let _ = blocks.recv();
                });
            });
            let _ = tell.send(());
        });
        begun.recv_timeout(Duration::from_secs(30)).unwrap();
        told.recv_timeout(Duration::from_secs(30)).unwrap();
        drop(never);
    }
}
