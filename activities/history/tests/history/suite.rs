//! What holds on either database. Each takes a scene with an empty one.

use crate::scene::{LONG, Scene, action, at, change, ever, incident, probe, restart, told, usage, usages};
use dixmgr_contract::{Span, Time};
use dixmgr_history::{Entry, Incident, Member, Question, Record, State};

/// Runs one of these to its end, on a runtime of its own.
pub(crate) fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(work)
}

pub(crate) async fn what_is_recorded_comes_out_again(scene: &Scene) {
    let (recorder, writer) = scene.start();
    let records = [
        change("api", 1, State::Up, "started"),
        change("api", 10, State::Down, "signal 9"),
        restart("api", 10),
        Record::Told(told(11, "retry", 1)),
        Record::Incident(incident(12, None)),
        action("api", 20),
        change("db", 2, State::Up, "a\0b\u{7}c"),
        Record::Member(Member { incident: incident(0, None).id, service: "web".into(), at: at(12) }),
    ];
    records.iter().for_each(|record| recorder.record(record.clone()));
    // The later state of the same two, and an older one that comes late.
    recorder.record(Record::Told(told(15, "sent", 2)));
    recorder.record(Record::Incident(incident(30, Some(30))));
    recorder.record(Record::Incident(incident(20, None)));
    assert!(writer.stop(LONG).await);
    assert_eq!(recorder.figures().rejected, 0);

    let lines = scene.store().timeline(&ever().of("api")).await.unwrap();
    assert!(lines.iter().all(|line| line.host == scene.options.host.as_str()));
    let entries: Vec<_> = lines.into_iter().map(|line| line.entry).collect();
    let expected = [
        Entry::Action(take(&records[5], |it| if let Record::Action(it) = it { Some(it) } else { None })),
        Entry::Note(told(15, "sent", 2)),
        Entry::Transition(take(&records[1], |it| if let Record::Transition(it) = it { Some(it) } else { None })),
        Entry::Restart(take(&records[2], |it| if let Record::Restart(it) = it { Some(it) } else { None })),
        Entry::Transition(take(&records[0], |it| if let Record::Transition(it) = it { Some(it) } else { None })),
        Entry::Incident(incident(30, Some(30))),
    ];
    assert_eq!(entries, expected);
    let db = scene.store().timeline(&ever().of("db")).await.unwrap();
    assert!(matches!(&db[0].entry, Entry::Transition(it) if it.reason == "a b c"), "{db:?}");
    // What is about an incident is about all that are part of it.
    let entries: Vec<_> = scene.store().timeline(&ever().of("web")).await.unwrap();
    let entries: Vec<_> = entries.into_iter().map(|line| line.entry).collect();
    assert_eq!(entries, [Entry::Note(told(15, "sent", 2)), Entry::Incident(incident(30, Some(30)))]);
    assert_eq!(scene.store().incidents(&ever().of("web")).await.unwrap().len(), 1);
    let newest = scene.store().timeline(&Question { limit: 1, ..ever() }).await.unwrap();
    assert_eq!(newest.len(), 1);
    let during = |from, to| Question::between(at(from), at(to));
    assert_eq!(
        scene.store().incidents(&during(25, 26)).await.unwrap(),
        [(newest[0].host.clone(), incident(30, Some(30)))]
    );
    assert!(scene.store().incidents(&during(31, 99)).await.unwrap().is_empty());
}

fn take<T: Clone>(record: &Record, of: fn(&Record) -> Option<&T>) -> T {
    of(record).unwrap().clone()
}

pub(crate) async fn an_export_has_every_record_as_a_line(scene: &Scene) {
    let (recorder, writer) = scene.start();
    [change("api", 1, State::Up, "started"), restart("api", 10), action("api", 20), probe("api", 5, false, 40)]
        .into_iter()
        .chain([usage("api", 5, 12.5, 4096.0), Record::Incident(incident(1, None)), Record::Told(told(2, "sent", 1))])
        .chain([Record::Member(Member { incident: "i".into(), service: "web".into(), at: at(2) })])
        .for_each(|record| recorder.record(record));
    assert!(writer.stop(LONG).await);
    let lines = scene.export().await;
    let kinds: Vec<_> = lines.iter().map(|line| line["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["transition", "interval", "restart", "incident", "member", "note", "action", "usage", "probe"]);
    assert_eq!(lines[0]["at"], at(1).to_string());
    assert_eq!(lines[2]["took"], "35ms");
    assert_eq!(lines[7]["cpu_percent"], 12.5);
    assert_eq!((lines[8]["failed"].as_u64(), lines[8]["took_ms"].as_f64()), (Some(1), Some(40.0)));
    assert!(lines.iter().all(|line| line["host"] == scene.options.host.as_str()));
    // Of a later window: what lasts into it.
    let mut lasting = Vec::new();
    let take = |line: &str| {
        lasting.push(serde_json::from_str::<serde_json::Value>(line).unwrap()["kind"].clone());
        Ok(())
    };
    assert_eq!(scene.store().export(&Question::between(at(1_000), at(2_000)), take).await.unwrap(), 2);
    assert_eq!(lasting, ["interval", "incident"]);
}

pub(crate) async fn uptime_is_added_up_per_service(scene: &Scene) {
    let (recorder, writer) = scene.start();
    [change("api", 0, State::Up, ""), change("api", 60, State::Down, "signal 9"), change("api", 80, State::Up, "")]
        .into_iter()
        .chain([change("db", 0, State::Up, ""), change("db", 50, State::Off, "paused by ada")])
        .for_each(|record| recorder.record(record));
    scene.turn_clock(100);
    assert!(writer.flush().await);
    let found = scene.store().uptime(&Question::between(at(-100), at(100)), at(100)).await.unwrap();
    assert_eq!(found.iter().map(|it| it.service.as_str()).collect::<Vec<_>>(), ["api", "db"]);
    let (api, db) = (&found[0], &found[1]);
    assert_eq!((api.percent, api.uptime.unwatched), (Some(80.0), Span::from_secs(100)));
    assert_eq!((api.mtbf, api.mttr), (Some(Span::from_secs(80)), Some(Span::from_secs(20))));
    assert_eq!((db.percent, db.uptime.off, db.mtbf), (Some(100.0), Span::from_secs(50), None));
    // With its dixmgr silent, nobody knows how it goes on.
    let later = scene.store().uptime(&Question::between(at(0), at(1000)).of("api"), at(1000)).await.unwrap();
    assert_eq!((later[0].uptime.unknown, later[0].uptime.up), (Span::from_secs(900), Span::from_secs(80)));
    assert!(writer.stop(LONG).await);
}

/// The whole life of a writer, which ends as by `kill -9`.
pub(crate) fn die_after(scene: &Scene, records: Vec<Record>) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (_recorder, _writer) = runtime.block_on(async {
        let (recorder, writer) = scene.start();
        records.into_iter().for_each(|record| recorder.record(record));
        assert!(writer.flush().await);
        (recorder, writer)
    });
    // Its tasks end where they wait, without a last word.
    runtime.shutdown_timeout(LONG);
}

pub(crate) fn after_an_unclean_end_the_time_between_is_unknown(scene: &Scene) {
    scene.turn_clock(100);
    die_after(scene, vec![change("api", 0, State::Up, ""), change("db", 100, State::Down, "exit code 1")]);
    scene.turn_clock(160);
    run(async {
        let (recorder, writer) = scene.start();
        recorder.record(change("api", 161, State::Up, ""));
        recorder.record(change("db", 161, State::Down, "exit code 1"));
        assert!(writer.stop(LONG).await);
        let found = scene.store().uptime(&Question::between(at(0), at(200)), at(200)).await.unwrap();
        let api = &found[0].uptime;
        assert_eq!((api.up, api.unknown), (Span::from_secs(139), Span::from_secs(61)));
        // It went down at the very moment of the last sign of life: one outage, of which the middle is unknown.
        let db = &found[1].uptime;
        assert_eq!((db.outages, db.unknown, db.down), (1, Span::from_millis(60_999), Span::from_millis(39_001)));
        // Of a window that begins meanwhile it is none that began in it, and of one before all of it nobody knows anything.
        let within =
            async |from, to| scene.store().uptime(&Question::between(at(from), at(to)), at(200)).await.unwrap();
        let found = within(130, 200).await;
        assert_eq!((found[1].uptime.outages, found[1].uptime.down), (0, Span::from_secs(39)));
        assert!(within(-50, -10).await.is_empty());
        let why: Vec<_> = scene.export().await.into_iter().filter(|line| line["state"] == "unknown").collect();
        assert!(why.iter().all(|line| line["cause"] == "dixmgr did not run") && why.len() == 2, "{why:?}");
    });
}

pub(crate) async fn samples_are_summed_up_and_then_forgotten(scene: &Scene) {
    let (recorder, writer) = scene.start();
    let (mut sums, mut highest) = ([0.0; 2], 0.0_f64);
    for sample in 0..120_i32 {
        let cpu = f64::from(sample * 7 % 50);
        // Each other row is two samples that were the same.
        let samples = 1 + sample.unsigned_abs() % 2;
        sums[usize::from(sample >= 60)] += cpu * f64::from(samples);
        highest = highest.max(cpu);
        recorder.record(usages("api", i64::from(sample) * 5, cpu, f64::from(sample), samples));
        recorder.record(probe("api", i64::from(sample) * 5, sample % 10 > 0, 8));
    }
    scene.turn_clock(725);
    assert!(writer.upkeep().await);
    let samples = |step| {
        let store = scene.store();
        async move {
            let lines = store.samples(&ever().of("api"), step).await.unwrap();
            lines.into_iter().map(|line| line.entry).collect::<Vec<_>>()
        }
    };
    let found = samples(Span::from_secs(300)).await;
    for (entry, (sum, start)) in found.iter().zip([(sums[0], 0), (sums[1], 300)]) {
        let Entry::Usage(point) = entry else { panic!("{entry:?}") };
        assert_eq!((point.at, point.samples, point.step), (at(start), 90, Span::from_secs(300)));
        assert!((point.cpu_percent - sum / 90.0).abs() < 1e-9 && point.cpu_max <= highest);
    }
    let Entry::Probe(point) = &found[2] else { panic!("{found:?}") };
    assert_eq!((point.samples, point.failed, found.len()), (60, 6, 4));
    // An hour is over: it is summed up from the five minutes, each with its weight.
    scene.turn_clock(2 * 3600);
    assert!(writer.upkeep().await);
    let found = samples(Span::from_secs(3600)).await;
    let Entry::Usage(point) = &found[0] else { panic!("{found:?}") };
    assert!((point.cpu_percent - (sums[0] + sums[1]) / 180.0).abs() < 1e-9 && point.samples == 180);
    assert!((point.cpu_max - highest).abs() < 1e-9);
    assert_eq!(samples(Span::ZERO).await.len(), 240);
    // Each resolution is forgotten when its time is over, the coarsest last.
    for (days, kept) in [(1, [0, 4, 2]), (8, [0, 0, 2]), (31, [0, 0, 0])] {
        scene.turn_clock(days * 86_400);
        assert!(writer.upkeep().await);
        let counts =
            [samples(Span::ZERO).await, samples(Span::from_secs(300)).await, samples(Span::from_secs(3600)).await];
        assert_eq!(counts.map(|found| found.len()), kept, "after {days} days");
    }
    assert!(writer.stop(LONG).await);
}

pub(crate) async fn what_is_older_than_the_retention_goes_and_what_lasts_stays(scene: &Scene) {
    let (recorder, writer) = scene.start();
    let all = |seconds| [change("api", seconds, State::Up, ""), restart("api", seconds), action("api", seconds)];
    all(0).into_iter().chain(all(20 * 86_400)).for_each(|record| recorder.record(record));
    // Of one incident there was a word lately; of the end of the other one nobody has heard, and nobody will.
    recorder.record(Record::Incident(incident(20 * 86_400, None)));
    recorder.record(Record::Incident(Incident { id: "service_down:gone".into(), ..incident(0, None) }));
    scene.turn_clock(40 * 86_400);
    assert!(writer.upkeep().await);
    let lines = scene.export().await;
    let kinds: Vec<_> = lines.iter().map(|line| line["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["transition", "interval", "restart", "incident", "action"], "{lines:?}");
    // The interval lasts since long ago, and so does the incident.
    assert_eq!(lines[1]["began"], Time::to_string(&at(0)));
    assert_eq!(lines[3]["id"], incident(0, None).id);
    assert!(writer.stop(LONG).await);
}

pub(crate) async fn what_a_person_does_is_added_beside_a_writer(scene: &Scene) {
    let Record::Action(done) = action("api", 20) else { panic!("an action") };
    let host = scene.options.host.as_str();
    assert!(scene.store().add(host, done.clone()).await.is_err(), "nobody has made a store yet");
    let (recorder, writer) = scene.start();
    recorder.record(change("api", 1, State::Up, "started"));
    assert!(writer.flush().await);
    scene.store().add(host, done.clone()).await.unwrap();
    recorder.record(change("api", 30, State::Down, "signal 9"));
    assert!(writer.stop(LONG).await);
    let lines = scene.store().timeline(&ever()).await.unwrap();
    assert!(matches!(&lines[1].entry, Entry::Action(it) if *it == done), "{lines:?}");
    scene.turn_clock(40);
    let uptime = scene.store().uptime(&ever(), at(40)).await.unwrap();
    assert_eq!(uptime[0].uptime.unknown, Span::ZERO, "what lasts goes on");
}
