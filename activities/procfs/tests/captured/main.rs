//! What real kernels and a real systemd 252 (Debian 12, Linux 6.1) said of services whose use is known, with each of the three set-ups of
//! cgroups: the reader must find in it what a person finds with a pocket calculator, and what the services really did.
//!
//! `capture.sh` makes the trees anew; `guest.py` has the services and says what of them is kept. `first.txt` holds all files of one
//! moment, each after a line `==> path <==`; `then.txt` those that were others some ten seconds later.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod capture;
mod v1;
mod v2;
