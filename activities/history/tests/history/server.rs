//! A PostgreSQL server: the suite, and what only a server can do, which is to be away, to say no, and to be shared.

use crate::postgres::{PASSWORD, Server};
use crate::scene::{LONG, Scene, at, change, ever, restart, usage};
use crate::suite::{self, run};
use dixmgr_contract::Span;
use dixmgr_history::{Notice, Question, State, Target, Trouble};
use std::path::Path;

fn scene(url: &str, host: &str) -> Scene {
    Scene::new(Target::parse(url, Path::new("/")).unwrap(), host)
}

/// One server for all of it: what takes time is to start one.
#[test]
fn the_suite_holds_on_a_server() {
    let Some(server) = Server::start("the_suite_holds_on_a_server") else { return };
    let on = |name: &str| scene(&server.database(name), "alpha");
    run(suite::what_is_recorded_comes_out_again(&on("a")));
    run(suite::an_export_has_every_record_as_a_line(&on("b")));
    run(suite::uptime_is_added_up_per_service(&on("c")));
    run(suite::samples_are_summed_up_and_then_forgotten(&on("d")));
    run(suite::what_is_older_than_the_retention_goes_and_what_lasts_stays(&on("e")));
    suite::after_an_unclean_end_the_time_between_is_unknown(&on("f"));
    run(suite::what_a_person_does_is_added_beside_a_writer(&on("g")));
}

#[test]
fn a_server_that_goes_away_and_comes_back_costs_nothing() {
    let Some(mut server) = Server::start("a_server_that_goes_away_and_comes_back_costs_nothing") else { return };
    let scene = scene(&server.database("history"), "alpha");
    run(async {
        let (recorder, writer) = scene.start();
        recorder.record(change("api", 0, State::Up, ""));
        assert!(writer.flush().await);
        server.down();
        recorder.record(change("api", 5, State::Down, "signal 9"));
        recorder.record(restart("api", 5));
        assert!(!writer.flush().await && !writer.flush().await);
        let notices = scene.heard();
        assert!(
            matches!(&notices[..], [Notice::Degraded { error, .. }] if error.trouble() == Some(Trouble::Unreachable)),
            "{notices:?}"
        );
        assert!(!format!("{notices:?}{}", notices[0]).contains(PASSWORD));
        server.up();
        assert!(writer.flush().await, "{:?}", scene.heard());
        assert_eq!(scene.heard(), [Notice::Recovered { lost: 0 }]);
        assert_eq!(scene.store().timeline(&ever()).await.unwrap().len(), 3);
        assert!(writer.stop(LONG).await);
    });
}

#[test]
fn hosts_share_a_server_and_are_told_apart() {
    let Some(server) = Server::start("hosts_share_a_server_and_are_told_apart") else { return };
    let url = server.database("history");
    let hosts = ["alpha", "beta", "gamma"].map(|host| scene(&url, host));
    run(async {
        // All at once: who makes the schema, and which numbers they take, must not matter.
        let writers = hosts.each_ref().map(Scene::start);
        for (index, (recorder, _)) in (0_i64..).zip(&writers) {
            recorder.record(change("api", index * 10, State::Up, ""));
            recorder.record(usage("api", 5, 1.0, 1.0));
        }
        for (_, writer) in &writers {
            assert!(writer.flush().await, "{:?}", hosts.each_ref().map(Scene::heard));
        }
        hosts.iter().for_each(|host| host.turn_clock(425));
        for (_, writer) in writers {
            assert!(writer.upkeep().await);
            assert!(writer.stop(LONG).await);
        }
        let store = hosts[0].store();
        let found = store.uptime(&Question::between(at(0), at(100)), at(100)).await.unwrap();
        let up: Vec<_> = found.iter().map(|it| (it.host.as_str(), it.uptime.up.as_millis())).collect();
        assert_eq!(up, [("alpha", 100_000), ("beta", 90_000), ("gamma", 80_000)]);
        let of_beta = Question { host: Some("beta".into()), ..ever() };
        assert_eq!(store.timeline(&of_beta).await.unwrap().len(), 1);
        let summed = store.samples(&ever(), Span::from_secs(300)).await.unwrap();
        assert_eq!(summed.len(), 3, "{summed:?}");
        assert_eq!(server.sql("history", "SELECT COUNT(*) FROM dixmgr_schema").trim(), "2", "each version once");
    });
}

#[test]
fn a_wrong_password_is_said_without_it() {
    let Some(server) = Server::start("a_wrong_password_is_said_without_it") else { return };
    server.sql("postgres", "CREATE ROLE other LOGIN PASSWORD 'something-else'");
    let scene = scene(&server.url("other", "postgres"), "alpha");
    run(async {
        let (recorder, writer) = scene.start();
        assert!(!writer.flush().await);
        assert_eq!(recorder.figures().trouble, Some(Trouble::Refused));
        let said = format!("{:?} {}", scene.heard(), scene.store().timeline(&ever()).await.unwrap_err());
        assert!(said.contains("look at user, password, database") && !said.contains(PASSWORD), "{said}");
        writer.stop(LONG).await;
    });
}

#[test]
fn a_server_is_spoken_to_over_tls_and_its_certificate_is_looked_at() {
    let Some(mut server) = Server::start("a_server_is_spoken_to_over_tls_and_its_certificate_is_looked_at") else {
        return;
    };
    let made = || rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (ours, others) = (made(), made());
    server.database("history");
    let port = server.listen(&ours.cert.pem(), &ours.signing_key.serialize_pem());
    let ask = |name: &str, authority: &str| {
        let root = server.file(name, authority).replace('/', "%2F");
        let url =
            format!("postgres://dixmgr:{PASSWORD}@127.0.0.1:{port}/history?sslmode=verify-full&sslrootcert={root}");
        let scene = scene(&url, "alpha");
        run(async {
            let (recorder, writer) = scene.start();
            recorder.record(restart("api", 0));
            (writer.stop(LONG).await, recorder.figures().trouble)
        })
    };
    assert_eq!(ask("others.pem", &others.cert.pem()), (false, Some(Trouble::Refused)));
    assert_eq!(ask("ours.pem", &ours.cert.pem()), (true, None));
}
