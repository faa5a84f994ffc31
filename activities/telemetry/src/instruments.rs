//! From the catalogue to instruments.
//!
//! Those with a series for each service are observable: OpenTelemetry asks the board at each scrape.

use crate::board::ServiceBoard;
use crate::catalogue::{Kind, Metric, find};
use crate::endpoints::EndpointBoard;
use crate::figures::{GAUGES, NODE_GAUGES};
use crate::history::{HISTORY_SERIES, HistoryBoard};
use crate::host::{FILE_SYSTEM_GAUGES, HOST_GAUGES, HostBoard};
use crate::probes::{PROBE_GAUGES, ProbeBoard};
use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, Counter, Gauge, Histogram, Meter};
use std::time::Instant;

/// Takes a value and its labels.
type See<'a> = &'a mut dyn FnMut(f64, &[KeyValue]);

/// Turns entries of the catalogue into instruments.
pub(crate) struct Builder {
    pub(crate) meter: Meter,
    pub(crate) prefix: String,
}

impl Builder {
    fn name(&self, metric: &Metric) -> String {
        format!("{}{}", self.prefix, metric.name)
    }

    pub(crate) fn counter(&self, metric: &'static Metric) -> Counter<u64> {
        self.meter.u64_counter(self.name(metric)).with_description(metric.help).build()
    }

    pub(crate) fn gauge(&self, metric: &'static Metric) -> Gauge<u64> {
        self.meter.u64_gauge(self.name(metric)).with_description(metric.help).build()
    }

    pub(crate) fn histogram(&self, metric: &'static Metric) -> Histogram<f64> {
        self.meter
            .f64_histogram(self.name(metric))
            .with_description(metric.help)
            .with_boundaries(metric.buckets.to_vec())
            .build()
    }

    /// An instrument that asks `feed` at each scrape. The provider keeps the callback; the handle has nothing more to do.
    fn observed(&self, metric: &'static Metric, feed: impl Fn(See<'_>) + Send + Sync + 'static) {
        let see = move |into: &dyn AsyncInstrument<f64>| feed(&mut |value, labels| into.observe(value, labels));
        let (name, help) = (self.name(metric), metric.help);
        if metric.kind == Kind::Counter {
            self.meter.f64_observable_counter(name).with_description(help).with_callback(see).build();
        } else {
            self.meter.f64_observable_gauge(name).with_description(help).with_callback(see).build();
        }
    }

    /// What is shown of each service.
    pub(crate) fn board(&self, board: &ServiceBoard) {
        let rows = board.clone();
        self.observed(const { find("service_health") }, move |see| rows.each_health(see));
        let rows = board.clone();
        self.observed(const { find("service_restarts_total") }, move |see| rows.each_restarts(see));
        let rows = board.clone();
        self.observed(const { find("service_downtime_seconds_total") }, move |see| {
            rows.each_downtime(Instant::now(), see);
        });
        let rows = board.clone();
        self.observed(const { find("alerts_fired_total") }, move |see| rows.each_fired(see));
        let rows = board.clone();
        self.observed(const { find("alerts_active") }, move |see| rows.each_active(see));
        let rows = board.clone();
        self.observed(const { find("services") }, move |see| see(rows.len() as f64, &[]));
        for (metric, read) in NODE_GAUGES {
            let rows = board.clone();
            self.observed(metric, move |see| rows.each_node(read, see));
        }
        for (metric, read) in GAUGES {
            let rows = board.clone();
            self.observed(metric, move |see| rows.each_figure(read, see));
        }
        let rows = board.clone();
        self.observed(const { find("service_disk_io_bytes_per_second") }, move |see| rows.each_disk(see));
        let rows = board.clone();
        self.observed(const { find("service_pressure_percent") }, move |see| rows.each_pressure(see));
    }

    /// What is shown of each probe.
    pub(crate) fn probes(&self, board: &ProbeBoard) {
        for (metric, read) in PROBE_GAUGES {
            let rows = board.clone();
            self.observed(metric, move |see| rows.each(read, see));
        }
    }

    /// What is shown of each endpoint that is asked by name.
    pub(crate) fn endpoints(&self, board: &EndpointBoard) {
        let rows = board.clone();
        self.observed(const { find("endpoint_breaker_state") }, move |see| rows.each(Instant::now(), see));
    }

    /// What is shown of the history's writer.
    pub(crate) fn history(&self, board: &HistoryBoard) {
        for (metric, read) in HISTORY_SERIES {
            let history = board.clone();
            self.observed(metric, move |see| history.figure(read).into_iter().for_each(|figure| see(figure, &[])));
        }
    }

    /// What is shown of the host.
    pub(crate) fn host(&self, board: &HostBoard) {
        for (metric, read) in HOST_GAUGES {
            let host = board.clone();
            self.observed(metric, move |see| host.see(read, see));
        }
        let host = board.clone();
        self.observed(const { find("host_pressure_percent") }, move |see| host.each_pressure(see));
        for (metric, read) in FILE_SYSTEM_GAUGES {
            let host = board.clone();
            self.observed(metric, move |see| host.each_file_system(read, see));
        }
    }
}
