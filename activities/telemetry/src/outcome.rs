//! The closed sets of label values: a status that is not here cannot be counted.

macro_rules! outcomes {
    ($(#[$doc:meta])* $vis:vis enum $type:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $vis enum $type { $($(#[$vdoc])* $variant,)+ }

        impl $type {
            /// The value of the label.
            $vis const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }
    };
}

outcomes! {
    /// How a workflow run closed.
    pub enum WorkflowOutcome {
        /// It returned a result.
        Completed = "completed",
        /// It continued as a new run.
        Continued = "continued",
        /// It failed.
        Failed = "failed",
        /// It was cancelled.
        Cancelled = "cancelled",
    }
}

outcomes! {
    /// How an attempt of an activity ended.
    pub enum ActivityOutcome {
        /// With a result.
        Success = "success",
        /// With a failure.
        Error = "error",
        /// Out of time.
        Timeout = "timeout",
        /// Cancelled.
        Cancelled = "cancelled",
    }
}

outcomes! {
    /// What became of an observation that was sent to Temporal.
    pub enum DeliveryOutcome {
        /// Temporal has it.
        Accepted = "accepted",
        /// It has to be sent again.
        Failed = "failed",
    }
}

/// Where a circuit breaker stands. Its gauge shows it as a number that grows with how much is kept away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BreakerPosition {
    /// Everything passes: 0.
    #[default]
    Closed = 0,
    /// A few tries pass: 1.
    HalfOpen = 1,
    /// Nothing passes: 2.
    Open = 2,
}

outcomes! {
    /// Whom dixmgr holds a connection to.
    pub(crate) enum Peer {
        /// The Temporal cluster.
        Temporal = "temporal",
        /// systemd, over D-Bus.
        Systemd = "systemd",
    }
}
