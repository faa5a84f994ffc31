//! What does not change while we run: the sizes in which this kernel counts, and whether it may be asked directly.

use crate::roots::Roots;
use crate::scan::number;
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

const NANOS: u64 = 1_000_000_000;

/// Facts of the kernel whose `/proc` is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kernel {
    ticks_per_second: u64,
    page: u64,
    /// `/proc` is this very machine's, and of our own pid namespace.
    is_ours: bool,
    /// The size of `/proc/<pid>/fd` is the number of open files (Linux 6.2).
    pub(crate) counts_files: bool,
}

impl Kernel {
    pub(crate) fn of(roots: &Roots) -> Self {
        let proc = roots.proc();
        let is_proc = rustix::fs::statfs(proc).is_ok_and(|fs| fs.f_type as u64 == rustix::fs::PROC_SUPER_MAGIC as u64);
        let own = std::fs::read_link(proc.join("self")).ok();
        let is_ours = is_proc && own.is_some_and(|own| own.to_str() == Some(&std::process::id().to_string()));
        let counts_files = is_ours && std::fs::metadata(proc.join("self/fd")).is_ok_and(|fd| fd.len() > 0);
        Self {
            ticks_per_second: rustix::param::clock_ticks_per_second().max(1),
            page: rustix::param::page_size() as u64,
            is_ours,
            counts_files,
        }
    }

    /// Clock ticks in nanoseconds.
    pub(crate) const fn nanos(&self, ticks: u64) -> u64 {
        ticks.saturating_mul(NANOS / self.ticks_per_second)
    }

    /// Seconds as `/proc/uptime` writes them (`12.34`), in clock ticks.
    pub(crate) fn ticks(&self, seconds: &[u8]) -> Option<u64> {
        let mut parts = seconds.splitn(2, |byte| *byte == b'.');
        let whole = number(parts.next()?)?.checked_mul(self.ticks_per_second)?;
        let hundredths = parts.next().and_then(|part| number(part.get(..2)?)).unwrap_or_default();
        whole.checked_add(hundredths * self.ticks_per_second / 100)
    }

    /// Pages in bytes.
    pub(crate) const fn bytes(&self, pages: u64) -> u64 {
        pages.saturating_mul(self.page)
    }

    /// How much smaller than it is a CPU time may be shown: user and system time are each cut to whole ticks.
    pub(crate) const fn slack(&self) -> u64 {
        self.nanos(2)
    }

    /// The CPU clock of a process; none if `/proc` is not of our own pid namespace.
    pub(crate) fn cpu_clock(&self, pid: u32) -> Option<CpuClock> {
        let pid = i32::try_from(pid).ok().filter(|_| self.is_ours)?;
        ClockId::pid_cpu_clock_id(Pid::from_raw(pid)).ok().map(CpuClock)
    }
}

/// The CPU time of all threads of a process, dead ones too (clock_getcpuclockid(3)). `/proc` cuts it to hundredths of a
/// second, with which a tenth of a second would be measured in steps of 10 % of a core. It tells nothing about whose pid it
/// is: look at the process's `stat` afterwards. One that says the same to the nanosecond is
/// taken for the same process's, until the next close look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CpuClock(ClockId);

impl CpuClock {
    /// Nanoseconds; none if there is no such process.
    pub(crate) fn now(self) -> Option<u64> {
        let time = clock_gettime(self.0).ok()?;
        let seconds = u64::try_from(time.tv_sec()).ok()?;
        seconds.checked_mul(NANOS)?.checked_add(u64::try_from(time.tv_nsec()).ok()?)
    }
}
