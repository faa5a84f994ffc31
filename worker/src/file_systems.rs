//! Measuring how full the file systems are on which services keep their data.
//!
//! A network file system that is gone holds up whoever asks it, for as long as it likes, and nothing ends that wait. So they are
//! asked on a plain thread that can be left behind with the one that does not answer: the others are asked on the next one,
//! nothing else is held up, and neither is the end of the program. What does not answer is unknown until it does.
//!
//! Rejected: tokio's threads for what blocks. They are for what ends.

use crate::host_watch::LEAST_INTERVAL;
use dixmgr_procfs::host::FileSystem;
use dixmgr_procfs::{Roots, host};
use dixmgr_telemetry::{FileSystemFigures, Metrics};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::MissedTickBehavior;

/// What takes longer is not waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// Threads that wait for file systems, at most: beyond that none is asked.
const WAITING: usize = 32;
/// All that such a thread needs, in bytes.
const STACK: usize = 128 * 1024;

/// What was seen of a file system; nothing if it cannot be read.
type Seen = Option<FileSystem>;

/// Looks for as long as the program runs, at the file system of `/` and those of `paths`.
pub(crate) async fn measure(interval: Duration, paths: Vec<PathBuf>, metrics: Metrics) {
    let look = |path: &Path| host::file_system(&Roots::default(), path);
    Watch::new(look, PATIENCE).run(interval.max(LEAST_INTERVAL), paths, metrics).await;
}

struct Watch<L> {
    look: L,
    patience: Duration,
    /// The one that waits for nobody.
    looker: Option<Looker>,
    /// The file systems that do not answer, each with the one that waits for it.
    waiting: BTreeMap<PathBuf, Looker>,
}

/// A thread that looks at one file system after the other. It ends when this is dropped, or with the process.
struct Looker {
    paths: std::sync::mpsc::Sender<PathBuf>,
    seen: UnboundedReceiver<Seen>,
}

impl<L: Fn(&Path) -> Seen + Clone + Send + 'static> Watch<L> {
    const fn new(look: L, patience: Duration) -> Self {
        Self { look, patience, looker: None, waiting: BTreeMap::new() }
    }

    async fn run(mut self, interval: Duration, mut paths: Vec<PathBuf>, metrics: Metrics) {
        paths.push(PathBuf::from("/"));
        paths.sort();
        paths.dedup();
        let mut ticker = tokio::time::interval(interval);
        ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticker.tick().await;
            for path in &paths {
                let seen = self.ask(path).await;
                metrics.host().set_file_system(&path.to_string_lossy(), seen.map(figures));
            }
        }
    }

    async fn ask(&mut self, path: &Path) -> Seen {
        if self.waiting.contains_key(path) {
            return self.ask_again(path);
        }
        if self.waiting.len() >= WAITING {
            return None;
        }
        let mut looker = match self.looker.take() {
            Some(looker) => looker,
            None => Looker::start(self.look.clone())?,
        };
        looker.paths.send(path.to_owned()).ok()?;
        match tokio::time::timeout(self.patience, looker.seen.recv()).await {
            Ok(seen) => {
                // Without an answer its thread has ended, and another one begins.
                self.looker = seen.is_some().then_some(looker);
                seen.flatten()
            }
            Err(_) => {
                let path = path.to_owned();
                tracing::warn!(path = %path.display(), "a file system does not answer; how full it is is unknown until it does");
                self.waiting.insert(path, looker);
                if self.waiting.len() == WAITING {
                    tracing::warn!("{WAITING} file systems do not answer; no other is asked until one of them does");
                }
                None
            }
        }
    }

    /// Looks whether it has answered meanwhile.
    fn ask_again(&mut self, path: &Path) -> Seen {
        let answer = self.waiting.get_mut(path)?.seen.try_recv();
        if answer == Err(TryRecvError::Empty) {
            return None;
        }
        let looker = self.waiting.remove(path);
        let seen = answer.ok()?;
        tracing::info!(path = %path.display(), "the file system answers again");
        self.looker = looker;
        seen
    }
}

impl Looker {
    fn start(look: impl Fn(&Path) -> Seen + Send + 'static) -> Option<Self> {
        let (paths, asked) = std::sync::mpsc::channel::<PathBuf>();
        let (tell, seen) = unbounded_channel();
        let looks = move || {
            while let Ok(path) = asked.recv() {
                if tell.send(look(&path)).is_err() {
                    return;
                }
            }
        };
        let started = std::thread::Builder::new().name("file-systems".to_owned()).stack_size(STACK).spawn(looks);
        if let Err(error) = &started {
            tracing::debug!("file systems cannot be looked at: {error}");
        }
        started.is_ok().then_some(Self { paths, seen })
    }
}

const fn figures(seen: FileSystem) -> FileSystemFigures {
    FileSystemFigures {
        total: seen.total,
        available: seen.available,
        inodes: seen.inodes,
        inodes_available: seen.inodes_available,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dixmgr_telemetry::Room;
    use std::sync::{Arc, Mutex, mpsc};

    const SEEN: FileSystem = FileSystem { total: 9, available: 5, inodes: None, inodes_available: None };
    const DEADLINE: Duration = Duration::from_secs(30);

    fn is_shown(metrics: &Metrics, path: &str) -> bool {
        metrics.render().unwrap().contains(&format!("dixmgr_host_filesystem_bytes{{path=\"{path}\"}} 9\n"))
    }

    async fn wait_until(metrics: &Metrics, what: &str, shown: [(&str, bool); 3]) {
        let is_so = async {
            while shown.iter().any(|(path, shown)| is_shown(metrics, path) != *shown) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(DEADLINE, is_so).await.unwrap_or_else(|_| panic!("{what}: {}", metrics.render().unwrap()));
    }

    #[tokio::test]
    async fn one_that_does_not_answer_is_unknown_until_it_does_and_the_others_are_known() {
        let (answer, answers) = mpsc::channel::<()>();
        let (answers, gone) = (Arc::new(Mutex::new(answers)), Arc::new(Mutex::new(false)));
        let hangs = Arc::clone(&gone);
        let look = move |path: &Path| {
            if path == Path::new("/far") && *hangs.lock().unwrap() {
                let _ = answers.lock().unwrap().recv();
            }
            Some(SEEN)
        };
        let metrics = Metrics::new("dixmgr", Room::of(1)).unwrap();
        let paths = vec![PathBuf::from("/far"), PathBuf::from("/near")];
        let watch = Watch::new(look, Duration::from_millis(500));
        let task = tokio::spawn(watch.run(Duration::from_millis(5), paths, metrics.clone()));
        wait_until(&metrics, "all answer", [("/", true), ("/far", true), ("/near", true)]).await;
        *gone.lock().unwrap() = true;
        wait_until(&metrics, "one is gone", [("/", true), ("/far", false), ("/near", true)]).await;
        metrics.host().set_file_system("/near", None);
        wait_until(&metrics, "the others are asked on", [("/", true), ("/far", false), ("/near", true)]).await;
        *gone.lock().unwrap() = false;
        answer.send(()).unwrap();
        wait_until(&metrics, "it is back", [("/", true), ("/far", true), ("/near", true)]).await;
        task.abort();
    }

    #[tokio::test]
    async fn no_more_threads_wait_than_may() {
        let (_never, answers) = mpsc::channel::<()>();
        let answers = Arc::new(Mutex::new(answers));
        let begun = Arc::new(Mutex::new(0));
        let count = Arc::clone(&begun);
        let look = move |_: &Path| {
            *count.lock().unwrap() += 1;
            let _ = answers.lock().unwrap().recv();
            Some(SEEN)
        };
        let mut watch = Watch::new(look, Duration::from_millis(1));
        for _ in 0..2 {
            for n in 0..2 * WAITING {
                assert_eq!(watch.ask(&PathBuf::from(format!("/{n}"))).await, None);
            }
        }
        assert_eq!(watch.waiting.len(), WAITING);
        assert!(*begun.lock().unwrap() <= WAITING);
    }
}
