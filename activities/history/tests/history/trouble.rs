//! A file that cannot be used: said once, lived with, and over when it is over.

use crate::scene::{LONG, Scene, at, change, ever, restart};
use crate::suite::run;
use dixmgr_history::{Error, Keep, Notice, Question, State, Target, Trouble};
use std::path::{Path, PathBuf};

fn troubles(notices: &[Notice]) -> Vec<Option<Trouble>> {
    let kind = |notice: &Notice| match notice {
        Notice::Degraded { error, .. } => error.trouble(),
        _ => None,
    };
    notices.iter().map(kind).collect()
}

fn asides(folder: &Path) -> Vec<PathBuf> {
    let is_aside =
        |path: &PathBuf| path.to_string_lossy().contains(".corrupt-") && !path.to_string_lossy().ends_with("-wal");
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(is_aside).collect()
}

async fn is_set_aside(folder: &tempfile::TempDir, scene: &Scene) {
    let damaged = std::fs::read(folder.path().join("history.db")).unwrap();
    let (recorder, writer) = scene.start();
    recorder.record(change("api", 1, State::Up, "started"));
    assert!(writer.flush().await);
    let notices = scene.heard();
    assert!(matches!(&notices[..], [Notice::SetAside { .. }]), "{notices:?}");
    assert!(notices[0].to_string().contains(".corrupt-18"), "{}", notices[0]);
    let [aside] = &asides(folder.path())[..] else { panic!("{:?}", asides(folder.path())) };
    assert_eq!(std::fs::read(aside).unwrap(), damaged);
    // The new file knows the states that were taken in already, once each.
    let found = scene.store().uptime(&Question::between(at(0), at(2)), at(2)).await.unwrap();
    assert_eq!((found.len(), found[0].uptime.up.as_millis()), (1, 1000));
    assert_eq!(scene.store().timeline(&ever()).await.unwrap().len(), 1);
    assert!(writer.stop(LONG).await);
}

#[test]
fn a_file_that_is_garbage_is_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene::file(&folder);
    std::fs::write(folder.path().join("history.db"), "no database, but long enough to be taken for one ".repeat(200))
        .unwrap();
    run(is_set_aside(&folder, &scene));
}

#[test]
fn a_file_that_is_cut_off_is_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene::file(&folder);
    run(async {
        let (recorder, writer) = scene.start();
        (0..2_000).for_each(|second| recorder.record(restart("api", second)));
        assert!(writer.stop(LONG).await);
    });
    let file = std::fs::OpenOptions::new().write(true).open(folder.path().join("history.db")).unwrap();
    file.set_len(20_000).unwrap();
    drop(file);
    run(is_set_aside(&folder, &scene));
}

#[test]
fn a_damaged_page_is_noticed_when_it_is_met() {
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene::file(&folder);
    let path = folder.path().join("history.db");
    run(async {
        let (recorder, writer) = scene.start();
        (0..2_000).for_each(|second| recorder.record(restart("api", second)));
        assert!(writer.stop(LONG).await);
        // All but the first page, with the schema, and the pages that say what is where.
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[8192..].fill(0xa5);
        std::fs::write(&path, bytes).unwrap();
        let (recorder, writer) = scene.start();
        (0..10).for_each(|second| recorder.record(restart("api", second)));
        assert!(writer.flush().await, "{:?}", scene.heard());
        assert!(scene.heard().iter().any(|notice| matches!(notice, Notice::SetAside { .. })));
        assert_eq!(scene.store().timeline(&ever()).await.unwrap().len(), 10);
        assert!(writer.stop(LONG).await);
    });
}

#[test]
fn a_locked_file_is_said_once_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene::file(&folder);
    run(async {
        let (recorder, writer) = scene.start();
        recorder.record(change("api", 0, State::Up, ""));
        assert!(writer.flush().await);
        let other = rusqlite::Connection::open(folder.path().join("history.db")).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        recorder.record(change("api", 5, State::Down, "signal 9"));
        assert!(!writer.flush().await && !writer.flush().await);
        assert_eq!(recorder.figures().trouble, Some(Trouble::Locked));
        let notices = scene.heard();
        assert_eq!(troubles(&notices), [Some(Trouble::Locked)]);
        assert!(notices[0].to_string().contains("another process holds it"), "{}", notices[0]);
        // Whoever asks is still answered.
        assert_eq!(scene.store().timeline(&ever()).await.unwrap().len(), 1);
        other.execute_batch("COMMIT").unwrap();
        assert!(writer.flush().await);
        assert_eq!(scene.heard(), [Notice::Recovered { lost: 0 }]);
        assert_eq!(recorder.figures().trouble, None);
        assert_eq!(scene.store().timeline(&ever()).await.unwrap().len(), 2);
        assert!(writer.stop(LONG).await);
    });
}

#[test]
fn changes_that_had_to_be_given_up_are_unknown_time() {
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene::file(&folder);
    run(async {
        let (recorder, writer) = scene.start();
        recorder.record(change("api", 0, State::Up, ""));
        recorder.record(change("db", 0, State::Up, ""));
        assert!(writer.flush().await);
        let other = rusqlite::Connection::open(folder.path().join("history.db")).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        // More than fits, from the tenth second on.
        for number in 0..12_000 {
            let state = if number % 2 == 0 { State::Down } else { State::Up };
            recorder.record(change("api", 10 + number / 1000, state, ""));
            if number % 1000 == 0 {
                writer.flush().await;
            }
        }
        writer.flush().await;
        assert!(recorder.figures().lost > 0, "{:?}", recorder.figures());
        scene.turn_clock(100);
        other.execute_batch("COMMIT").unwrap();
        assert!(writer.flush().await);
        assert!(matches!(scene.heard().last(), Some(Notice::Recovered { lost }) if *lost > 0));
        let found = scene.store().uptime(&Question::between(at(0), at(120)), at(120)).await.unwrap();
        for service in &found {
            let parts = [service.uptime.up, service.uptime.unknown, service.uptime.down].map(|part| part.as_millis());
            assert_eq!(parts, [30_000, 90_000, 0], "{service:?}");
        }
        assert!(writer.stop(LONG).await);
    });
}

#[test]
fn a_place_that_cannot_be_written_stops_nothing() {
    // Where not even root can make a file.
    let scene = Scene::new(Target::file("/proc/self/history.db"), "alpha");
    run(async {
        let (recorder, writer) = scene.start();
        recorder.record(restart("api", 0));
        assert!(!writer.flush().await);
        assert_eq!(troubles(&scene.heard()), [Some(Trouble::ReadOnly)]);
        assert!(!writer.stop(LONG).await);
        let error = scene.store().timeline(&ever()).await.unwrap_err();
        assert!(matches!(&error, Error::Nothing(_)), "{error}");
    });
}

#[test]
fn a_full_disk_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut scene = Scene::file(&folder);
    scene.options.keep = Keep { bytes: 4 << 20, ..Keep::default() };
    run(async {
        let (recorder, writer) = scene.start();
        recorder.record(change("api", 0, State::Up, ""));
        // Events of today are not given up: the pages run out.
        let mut round = 0;
        while recorder.figures().trouble.is_none() {
            round += 1;
            assert!(round < 20, "{:?}", recorder.figures());
            for number in 0..1_000 {
                recorder.record(change(&format!("{number}-{}", "x".repeat(200)), round, State::Up, &"y".repeat(400)));
            }
            writer.flush().await;
        }
        assert_eq!(troubles(&scene.heard()), [Some(Trouble::Full)]);
        assert_eq!(recorder.figures().trouble, Some(Trouble::Full));
        let waiting = recorder.figures().waiting;
        // Two days later they may go, and what waits has room.
        scene.turn_clock(2 * 86_400);
        assert!(writer.flush().await, "{:?}", scene.heard());
        assert_eq!(scene.heard(), [Notice::Recovered { lost: 0 }]);
        assert!(waiting > 0 && recorder.figures().waiting == 0);
        assert!(writer.stop(LONG).await);
    });
}

#[test]
fn a_file_of_a_newer_dixmgr_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene::file(&folder);
    run(async {
        assert!(scene.start().1.stop(LONG).await);
        let other = rusqlite::Connection::open(folder.path().join("history.db")).unwrap();
        other.execute_batch("INSERT INTO dixmgr_schema VALUES (99, 0)").unwrap();
        let (recorder, writer) = scene.start();
        recorder.record(restart("api", 0));
        assert!(!writer.flush().await);
        assert_eq!(troubles(&scene.heard()), [Some(Trouble::Newer)]);
        let error = scene.store().timeline(&ever()).await.unwrap_err();
        assert_eq!(error.trouble(), Some(Trouble::Newer));
        assert!(error.to_string().contains("a newer dixmgr has made it"), "{error}");
        assert!(asides(folder.path()).is_empty());
        writer.stop(LONG).await;
    });
}

#[test]
fn one_record_that_the_file_refuses_costs_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene::file(&folder);
    run(async {
        let (recorder, writer) = scene.start();
        assert!(writer.flush().await);
        let other = rusqlite::Connection::open(folder.path().join("history.db")).unwrap();
        let never = "CREATE TRIGGER never BEFORE INSERT ON restarts WHEN NEW.service = 'bad' \
                     BEGIN SELECT RAISE(ABORT, 'never'); END";
        other.execute_batch(never).unwrap();
        ["a", "bad", "b"].into_iter().for_each(|service| recorder.record(restart(service, 0)));
        assert!(writer.flush().await);
        let figures = recorder.figures();
        assert_eq!((figures.rejected, figures.trouble), (1, None), "{figures:?}");
        assert_eq!(scene.store().timeline(&ever()).await.unwrap().len(), 2);
        assert!(writer.stop(LONG).await);
    });
}
