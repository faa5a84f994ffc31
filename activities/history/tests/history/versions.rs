//! Files of each released version of the schema, as SQL: all are brought up to the newest, with what is in them.
//!
//! `schema/N.sql` is a dump of a file that version N has made, with a row in each table. It is written once, when version N is
//! released, and never changed: `src/schema/N.sql` must go on making what it holds.

use crate::scene::{LONG, Scene, ever};
use crate::suite::run;
use dixmgr_history::State;

/// Each with how many kinds of entries there are in it.
pub(crate) const DUMPS: [(&str, usize); 2] = [(include_str!("schema/1.sql"), 8), (include_str!("schema/2.sql"), 9)];

fn schema_of(path: &std::path::Path) -> Vec<String> {
    let db = rusqlite::Connection::open(path).unwrap();
    let mut statement = db.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name").unwrap();
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    rows.map(|sql| sql.unwrap().split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn a_file_of_any_version_is_brought_up_with_all_that_is_in_it() {
    let fresh = tempfile::tempdir().unwrap();
    let newest = Scene::file(&fresh);
    run(async { assert!(newest.start().1.stop(LONG).await) });
    let versions = schema_of(&fresh.path().join("history.db"));
    for (number, (dump, kinds_in_it)) in (1..).zip(DUMPS) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.db");
        rusqlite::Connection::open(&path).unwrap().execute_batch(dump).unwrap();
        let scene = Scene::file(&folder);
        scene.turn_clock(7200);
        run(async {
            let (_recorder, writer) = scene.start();
            assert!(writer.stop(LONG).await, "version {number}: {:?}", scene.heard());
            let lines = scene.export().await;
            let kinds: std::collections::BTreeSet<_> =
                lines.iter().map(|line| line["kind"].as_str().unwrap().to_owned()).collect();
            assert_eq!(kinds.len(), kinds_in_it, "version {number}: {kinds:?}");
            let uptime = scene.store().uptime(&ever().of("api"), crate::scene::at(7200)).await.unwrap();
            assert_eq!(uptime[0].uptime.outages, 1, "version {number}");
            let unknown = lines.iter().filter(|line| line["state"] == State::Unknown.as_str()).count();
            assert_eq!(unknown, 1, "version {number}: its last run ended with a service up");
        });
        assert_eq!(schema_of(&path), versions, "version {number}: brought up, and made anew");
    }
}

/// The commands that ask need no dixmgr that has brought it up: it may have run for the last time.
#[test]
fn a_file_of_any_version_answers_before_it_is_brought_up() {
    for (number, (dump, kinds_in_it)) in (1..).zip(DUMPS) {
        let folder = tempfile::tempdir().unwrap();
        rusqlite::Connection::open(folder.path().join("history.db")).unwrap().execute_batch(dump).unwrap();
        let scene = Scene::file(&folder);
        run(async {
            let lines = scene.export().await;
            let kinds: std::collections::BTreeSet<_> =
                lines.iter().map(|line| line["kind"].as_str().unwrap().to_owned()).collect();
            assert_eq!(kinds.len(), kinds_in_it, "version {number}: {kinds:?}");
            let of = async |service| scene.store().timeline(&ever().of(service)).await.unwrap().len();
            assert!(of("api").await > 3, "version {number}");
            assert_eq!(of("web").await, if number == 1 { 0 } else { 2 }, "version {number}: an incident and its note");
        });
    }
}

#[test]
fn each_version_has_its_dump() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let count = |folder: &str| std::fs::read_dir(folder).unwrap().count();
    let made = count(folder.join("src/schema").to_str().unwrap());
    assert_eq!((made, count(folder.join("tests/history/schema").to_str().unwrap())), (DUMPS.len(), DUMPS.len()));
}
