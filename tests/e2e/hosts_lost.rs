//! What people hear of a host that is lost: that it is, and what became of it.

use super::hosts::{FLEET, all_is_well, install, launch};
use dixmgr_tests::{Sandbox, TemporalServer, in_sandbox};

#[test]
fn a_loss_of_which_nobody_is_told_is_written_down_once() {
    in_sandbox(Sandbox::UserManager, |host| {
        install(host);
        let server = TemporalServer::start();
        let quiet = |name| launch(host, name, FLEET).argument("-alerts=false");
        let alpha = quiet("alpha");
        let (dies, beta) = (alpha.start(), quiet("beta").start());
        all_is_well(&server.connect());
        dies.kill();
        beta.wait_logged(&["ERROR", "events: host alpha is lost"]);
        let back = alpha.start();
        dixmgr_tests::wait_until("its return is written down", || {
            [&beta, &back].iter().any(|one| one.logged(&["INFO", "events: host alpha is back"]) == 1)
        });
        let both = |words: &[&str]| beta.logged(words) + back.logged(words);
        assert_eq!((both(&["events: host alpha is lost"]), both(&["events: host alpha is back"])), (1, 1));
    });
}
