//! From the catalogue to instruments.
//!
//! Those with a series for each service are observable: OpenTelemetry asks the board at each scrape.

use crate::board::ServiceBoard;
use crate::catalogue::{Metric, find};
use crate::figures::{GAUGES, NODE_GAUGES};
use crate::host::{FILE_SYSTEM_GAUGES, HOST_GAUGES, HostBoard};
use crate::probes::{PROBE_GAUGES, ProbeBoard};
use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter};
use std::time::Instant;

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

    /// The observable instruments. The provider keeps their callbacks; the handles have nothing more to do.
    pub(crate) fn board(&self, board: &ServiceBoard) {
        let metric = const { find("service_health") };
        let rows = board.clone();
        self.meter
            .u64_observable_gauge(self.name(metric))
            .with_description(metric.help)
            .with_callback(move |see| rows.each_health(|value, labels| see.observe(value, labels)))
            .build();
        let metric = const { find("service_restarts_total") };
        let rows = board.clone();
        self.meter
            .u64_observable_counter(self.name(metric))
            .with_description(metric.help)
            .with_callback(move |see| rows.each_restarts(|value, labels| see.observe(value, labels)))
            .build();
        let metric = const { find("service_downtime_seconds_total") };
        let rows = board.clone();
        self.meter
            .f64_observable_counter(self.name(metric))
            .with_description(metric.help)
            .with_callback(move |see| rows.each_downtime(Instant::now(), |value, labels| see.observe(value, labels)))
            .build();
        self.nodes(board);
        self.figures(board);
        let metric = const { find("services") };
        let rows = board.clone();
        self.meter
            .u64_observable_gauge(self.name(metric))
            .with_description(metric.help)
            .with_callback(move |see| see.observe(u64::try_from(rows.len()).unwrap_or(u64::MAX), &[]))
            .build();
    }

    fn nodes(&self, board: &ServiceBoard) {
        for (metric, read) in NODE_GAUGES {
            let rows = board.clone();
            self.meter
                .f64_observable_gauge(self.name(metric))
                .with_description(metric.help)
                .with_callback(move |see| rows.each_node(read, |value, labels| see.observe(value, labels)))
                .build();
        }
    }

    fn figures(&self, board: &ServiceBoard) {
        for (metric, read) in GAUGES {
            let rows = board.clone();
            self.meter
                .f64_observable_gauge(self.name(metric))
                .with_description(metric.help)
                .with_callback(move |see| rows.each_figure(read, |value, labels| see.observe(value, labels)))
                .build();
        }
        let metric = const { find("service_disk_io_bytes_per_second") };
        let rows = board.clone();
        self.meter
            .f64_observable_gauge(self.name(metric))
            .with_description(metric.help)
            .with_callback(move |see| rows.each_disk(|value, labels| see.observe(value, labels)))
            .build();
    }

    pub(crate) fn probes(&self, board: &ProbeBoard) {
        for (metric, read) in PROBE_GAUGES {
            let rows = board.clone();
            self.meter
                .f64_observable_gauge(self.name(metric))
                .with_description(metric.help)
                .with_callback(move |see| rows.each(read, |value, labels| see.observe(value, labels)))
                .build();
        }
    }

    pub(crate) fn host(&self, board: &HostBoard) {
        for (metric, read) in HOST_GAUGES {
            let host = board.clone();
            self.meter
                .f64_observable_gauge(self.name(metric))
                .with_description(metric.help)
                .with_callback(move |see| host.see(read, |value, labels| see.observe(value, labels)))
                .build();
        }
        for (metric, read) in FILE_SYSTEM_GAUGES {
            let host = board.clone();
            self.meter
                .f64_observable_gauge(self.name(metric))
                .with_description(metric.help)
                .with_callback(move |see| host.each_file_system(read, |value, labels| see.observe(value, labels)))
                .build();
        }
    }
}
