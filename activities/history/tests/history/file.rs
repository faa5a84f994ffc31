//! A file: the suite, a `kill -9` in the middle of writing, and how much one takes.

use crate::scene::{LONG, Scene, at, change, ever, restart, usage};
use crate::suite::{self, run};
use dixmgr_history::{Keep, Question, State};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

fn scene() -> (tempfile::TempDir, Scene) {
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene::file(&folder);
    (folder, scene)
}

macro_rules! suite {
    ($($name:ident),+) => { $(
        #[test]
        fn $name() {
            let (_folder, scene) = scene();
            run(suite::$name(&scene));
        }
    )+ };
}

suite!(
    what_is_recorded_comes_out_again,
    an_export_has_every_record_as_a_line,
    what_a_person_does_is_added_beside_a_writer,
    uptime_is_added_up_per_service,
    samples_are_summed_up_and_then_forgotten,
    what_is_older_than_the_retention_goes_and_what_lasts_stays
);

#[test]
fn after_an_unclean_end_the_time_between_is_unknown() {
    let (_folder, scene) = scene();
    suite::after_an_unclean_end_the_time_between_is_unknown(&scene);
}

#[test]
fn a_clean_end_and_the_next_start_leave_only_the_time_between_unknown() {
    let (_folder, scene) = scene();
    run(async {
        let (recorder, writer) = scene.start();
        recorder.record(change("api", 0, State::Up, ""));
        scene.turn_clock(50);
        assert!(writer.stop(LONG).await);
        scene.turn_clock(60);
        let (recorder, writer) = scene.start();
        recorder.record(change("api", 60, State::Up, ""));
        assert!(writer.stop(LONG).await);
        let found = scene.store().uptime(&Question::between(at(0), at(100)), at(100)).await.unwrap();
        assert_eq!((found[0].uptime.unknown.as_millis(), found[0].uptime.up.as_millis()), (10_000, 90_000));
        assert_eq!(found[0].uptime.outages, 0);
    });
}

#[test]
fn everything_is_written_when_the_last_handle_goes() {
    let (_folder, scene) = scene();
    run(async {
        let (recorder, writer) = scene.start();
        for second in 0..1_000 {
            recorder.record(restart("api", second));
        }
        drop(recorder);
        // It ends by itself, and then answers no more.
        while writer.flush().await {}
        assert_eq!(scene.store().timeline(&ever()).await.unwrap().len(), 1_000);
    });
}

#[test]
fn an_event_is_written_soon_and_takes_the_samples_along() {
    let (_folder, scene) = scene();
    run(async {
        let (recorder, writer) = scene.start();
        assert!(writer.flush().await);
        recorder.record(usage("api", 0, 1.0, 1.0));
        recorder.record(restart("api", 0));
        let deadline = std::time::Instant::now() + LONG;
        while recorder.figures().written < 2 {
            assert!(std::time::Instant::now() < deadline, "{:?}", recorder.figures());
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert_eq!(recorder.figures().batches, 1);
        assert!(writer.stop(LONG).await);
    });
}

#[test]
fn a_hundred_thousand_writes_are_bounded_and_all_accounted_for() {
    let (folder, scene) = scene();
    run(async {
        let (recorder, writer) = scene.start();
        assert!(writer.flush().await);
        // Nothing can be written, so that everything piles up.
        let locked = rusqlite::Connection::open(folder.path().join("history.db")).unwrap();
        locked.execute_batch("BEGIN EXCLUSIVE").unwrap();
        for second in 0..50_000 {
            recorder.record(restart("api", second));
            recorder.record(usage("api", second, 1.0, 1.0));
            if second % 500 == 0 {
                tokio::task::yield_now().await;
            }
        }
        assert!(!writer.flush().await);
        let kept = recorder.figures();
        assert!(kept.waiting <= 40_000, "{kept:?}");
        assert_eq!(kept.waiting + kept.lost + kept.dropped, 100_000, "{kept:?}");
        locked.execute_batch("ROLLBACK").unwrap();
        assert!(writer.flush().await);
        let found = recorder.figures();
        assert_eq!((found.written, found.waiting, found.trouble), (kept.waiting, 0, None), "{found:?}");
        assert!(writer.stop(LONG).await);
    });
}

#[test]
fn the_bound_of_the_file_is_kept_at_the_cost_of_samples() {
    let (folder, mut scene) = scene();
    scene.options.keep = Keep { bytes: 4 << 20, ..Keep::default() };
    run(async {
        let (recorder, writer) = scene.start();
        recorder.record(restart("api", 0));
        for round in 0..24_i64 {
            for number in 0..5_000 {
                recorder.record(usage(&format!("service-{}", number % 100), round * 300 + number / 100, 1.5, 1e9));
            }
            scene.turn_clock((round + 1) * 300 + 15);
            assert!(writer.upkeep().await, "{:?}", scene.heard());
        }
        let figures = recorder.figures();
        assert_eq!((figures.lost, figures.dropped, figures.trouble), (0, 0, None), "{figures:?}");
        assert!(figures.bytes <= 4 << 20, "{figures:?}");
        assert_eq!(scene.store().timeline(&ever()).await.unwrap().len(), 1, "an event was given up for samples");
        assert!(writer.stop(LONG).await);
        let size = std::fs::metadata(folder.path().join("history.db")).unwrap().len();
        assert!(size <= (4 << 20) * 5 / 4, "{size}");
    });
}

/// Set for the process that is killed: where it writes.
const VICTIM: &str = "DIXMGR_HISTORY_VICTIM";

#[test]
fn a_kill_in_the_middle_of_writing_costs_no_file() {
    if let Some(path) = std::env::var_os(VICTIM) {
        return write_until_killed(std::path::Path::new(&path));
    }
    let (folder, scene) = scene();
    let path = folder.path().join("history.db");
    for round in 1..=3_u64 {
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["file::a_kill_in_the_middle_of_writing_costs_no_file", "--exact", "--nocapture"])
            .env(VICTIM, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let written = BufReader::new(victim.stdout.take().unwrap()).lines().map_while(Result::ok);
        let flushed = written.filter(|line| line.contains("flushed")).take(3).count();
        victim.kill().unwrap();
        victim.wait().unwrap();
        assert_eq!(flushed, 3);
        run(async {
            let (recorder, writer) = scene.start();
            recorder.record(change("db", 0, State::Up, ""));
            assert!(writer.stop(LONG).await);
            assert_eq!(scene.heard(), []);
            let lines = scene.store().timeline(&ever().of("api")).await.unwrap();
            // Three batches were answered for, each of a hundred.
            assert!(lines.len() >= usize::try_from(round * 300).unwrap().min(10_000), "{}", lines.len());
        });
        let check = rusqlite::Connection::open(&path).unwrap();
        let answer: String = check.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(answer, "ok");
    }
}

fn write_until_killed(path: &std::path::Path) {
    run(async {
        let options = dixmgr_history::Options::new(dixmgr_history::Target::file(path), "alpha".parse().unwrap());
        let (recorder, writer) = dixmgr_history::Writer::start(options);
        loop {
            for second in 0..100 {
                recorder.record(restart("api", second));
            }
            assert!(writer.flush().await);
            println!("\nflushed");
        }
    });
}
