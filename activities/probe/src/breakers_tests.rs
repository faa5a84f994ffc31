//! Endpoints that die, come back, and are asked by many.

use super::*;
use crate::HttpError;
use dixmgr_contract::CheckState;

const PATIENT: Duration = Duration::from_secs(5);

fn target(url: &str) -> Target {
    Target::from(&Endpoint::parse(url).unwrap())
}

fn dead() -> CheckResult {
    CheckResult { state: CheckState::Unhealthy, ..CheckResult::default() }
}

fn says_no() -> CheckResult {
    CheckResult { answered: true, ..dead() }
}

fn ask(breakers: &Breakers, target: &Target, sees: &CheckResult, timeout: Duration) -> bool {
    breakers.pass(target.clone()).map(|pass| pass.checked(sees, timeout)).is_ok()
}

#[tokio::test(start_paused = true)]
async fn the_sixth_is_told_at_once_that_nobody_answers_and_after_a_minute_it_is_tried_again() {
    let (breakers, a, b) = (Breakers::default(), target("http://u:hush@a:1/hush"), target("http://b:1"));
    for _ in 0..5 {
        assert!(ask(&breakers, &a, &dead(), PATIENT));
    }
    let alone = breakers.pass(a.clone()).err().unwrap();
    assert_eq!(alone.retry_after, Some(Duration::from_secs(60)));
    let (until, said) = (alone.until.unwrap(), alone.to_string());
    assert_eq!(said, format!("http://a:1 has not answered several times in a row, and is left alone until {until}"));
    assert!(ask(&breakers, &b, &says_no(), PATIENT), "another endpoint is asked");
    tokio::time::advance(Duration::from_secs(60)).await;
    let tries: Vec<_> = (0..3).map(|_| breakers.pass(a.clone()).unwrap()).collect();
    let busy = breakers.pass(a.clone()).err().unwrap();
    assert!(busy.retry_after.is_none() && busy.to_string().contains("trying"), "{busy}");
    tries.into_iter().for_each(|pass| pass.looked(&Ok(())));
    assert!((0..9).all(|_| ask(&breakers, &a, &says_no(), PATIENT)));
}

#[tokio::test(start_paused = true)]
async fn only_a_failure_to_answer_somebody_who_waited_counts() {
    let (breakers, a) = (Breakers::default(), target("http://a:1"));
    let place = || "http://a:1".to_owned();
    let ours = CheckResult::default();
    for _ in 0..9 {
        assert!(ask(&breakers, &a, &says_no(), PATIENT), "a no is an answer");
        assert!(ask(&breakers, &a, &ours, PATIENT), "a fault of ours");
        assert!(ask(&breakers, &a, &dead(), Duration::from_millis(999)), "not waited for");
        drop(breakers.pass(a.clone()).unwrap());
        let status = NodeError::Status { place: place(), status: 503 };
        breakers.pass(a.clone()).unwrap().looked(&Err::<(), _>(status));
    }
    for _ in 0..5 {
        let timeout = HttpError::Timeout { place: place(), after: PATIENT };
        breakers.pass(a.clone()).unwrap().looked(&Err::<(), _>(timeout.into()));
    }
    assert!(breakers.pass(a).is_err());
}

#[tokio::test(start_paused = true)]
async fn each_probe_of_an_endpoint_shows_it_and_a_new_run_of_its_service_closes_it() {
    type Told = Vec<(String, BreakerState, Duration)>;
    let told: Arc<Mutex<Told>> = Arc::default();
    let (a, tell) = (target("http://a:1"), Arc::clone(&told));
    let probe = |service: &str| ProbeId { service: service.to_owned(), probe: "http".to_owned() };
    let on_change = move |probe: &ProbeId, state, open_for| {
        tell.lock().unwrap().push((probe.service.clone(), state, open_for));
    };
    let take = || std::mem::take(&mut *told.lock().unwrap());
    let breakers = Breakers::new([(a.clone(), probe("web")), (a.clone(), probe("api"))], Box::new(on_change));
    assert_eq!(take().len(), 2);
    for _ in 0..5 {
        assert!(ask(&breakers, &a, &dead(), PATIENT));
    }
    let opened: Vec<_> = take().into_iter().filter(|told| matches!(told.1, BreakerState::Open { .. })).collect();
    let whose: Vec<_> = opened.iter().map(|(service, _, open_for)| (service.as_str(), open_for.as_secs())).collect();
    assert_eq!(whose, [("web", 60), ("api", 60)]);
    breakers.renew("other");
    assert!(breakers.pass(a.clone()).is_err() && take().is_empty());
    breakers.renew("api");
    let closed = BreakerState::Closed { failures: 0 };
    assert!(take().iter().all(|told| told.1 == closed) && ask(&breakers, &a, &dead(), PATIENT));
}

#[test]
fn who_is_asked_on_another_way_is_another() {
    let plain = HttpAsk::new(Endpoint::parse("http://a:1/x").unwrap());
    let socket = HttpAsk { unix: Some("/a.sock".into()), ..plain.clone() };
    let proxied = HttpAsk { proxy: Some(Endpoint::parse("http://u:hush@p:3128").unwrap()), ..plain.clone() };
    let targets = [&plain, &socket, &proxied].map(Target::from);
    assert_eq!(targets[0], target("http://u:p@a:1/y"));
    assert!(targets[0] != targets[1] && targets[1] != targets[2] && targets[0] != targets[2]);
    assert!(!format!("{targets:?}").contains("hush"));
}
