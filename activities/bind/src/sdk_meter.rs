//! The Temporal SDK's metrics on our OpenTelemetry provider, and so on our one `/metrics`.
//!
//! The SDK lets a program bring its own meter through the trait `CoreMeter`; attributes travel as our own type inside
//! `MetricAttributes::Dynamic`. The SDK's counters of failed requests are also the earliest news of an outage: a poll that
//! breaks off is counted at once, and there is no other word of it. Rejected: the SDK's `otel` feature, which exports over
//! OTLP only, and its `prometheus` feature's own server, whose registry is private.

use opentelemetry::{KeyValue, metrics as otel};
use std::any::Any;
use std::collections::HashSet;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use temporalio_common::telemetry::metrics::core::CustomMetricAttributes;
use temporalio_common::telemetry::metrics::{
    CoreMeter, Counter, CounterBase, Gauge, GaugeBase, GaugeF64, GaugeF64Base, Histogram, HistogramBase,
    HistogramDuration, HistogramDurationBase, HistogramF64, HistogramF64Base, MetricAttributable, MetricAttributes,
    MetricParameters, NewAttributes, UpDownCounter, UpDownCounterBase, default_buckets_for,
};

/// More sets of labels than this are not shared.
const SHARED: usize = 1024;

/// What the names of the SDK's counters of failed requests end with.
const FAILURES: &str = "request_failure";

/// What is done whenever a request to the cluster has failed. Must not block.
pub type OnFailure = Arc<dyn Fn() + Send + Sync>;

/// What the name of the SDK's histogram of waiting workflow tasks ends with.
const WAITED: &str = "workflow_task_schedule_to_start_latency";

/// Told how long a workflow task lay before this dixmgr took it. Must not block.
pub type OnTaken = Arc<dyn Fn(Duration) + Send + Sync>;

/// Hands the SDK's instruments to an OpenTelemetry meter.
pub struct SdkMeter {
    meter: otel::Meter,
    on_failure: OnFailure,
    on_taken: OnTaken,
    /// The sets of labels that there are. The SDK asks for the same few again with each workflow that it opens.
    shared: Mutex<HashSet<Arc<Labels>>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Labels(Vec<KeyValue>);

impl CustomMetricAttributes for Labels {
    fn as_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

impl Labels {
    /// Attributes that another meter made are not ours to read: they count as none.
    fn of(attributes: &MetricAttributes) -> Arc<Self> {
        match attributes {
            MetricAttributes::Dynamic(custom) => custom.clone().as_any().downcast().unwrap_or_default(),
            _ => Arc::default(),
        }
    }

    fn with(mut self, new: NewAttributes) -> Self {
        for attribute in new.attributes {
            let label = KeyValue::new(attribute.key, attribute.value.to_string());
            match self.0.iter_mut().find(|old| old.key == label.key) {
                Some(old) => *old = label,
                None => self.0.push(label),
            }
        }
        self
    }
}

impl fmt::Debug for SdkMeter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SdkMeter").finish_non_exhaustive()
    }
}

impl SdkMeter {
    /// The SDK's instruments on this meter.
    pub fn new(meter: otel::Meter, on_failure: OnFailure, on_taken: OnTaken) -> Self {
        Self { meter, on_failure, on_taken, shared: Mutex::default() }
    }

    fn share(&self, labels: Labels) -> MetricAttributes {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let labels = shared.get(&labels).cloned().unwrap_or_else(|| Arc::new(labels));
        if shared.len() < SHARED {
            shared.insert(labels.clone());
        }
        MetricAttributes::Dynamic(labels)
    }
}

struct Instrument<I>(I);
struct Bound<I>(I, Arc<Labels>);

macro_rules! instruments {
    ($($base:ident, $instrument:ty, $method:ident, $value:ty, $call:ident;)+) => {$(
        impl MetricAttributable<Box<dyn $base>> for Instrument<$instrument> {
            fn with_attributes(&self, attributes: &MetricAttributes) -> Result<Box<dyn $base>, Box<dyn Error>> {
                Ok(Box::new(Bound(self.0.clone(), Labels::of(attributes))))
            }
        }

        impl $base for Bound<$instrument> {
            fn $method(&self, value: $value) {
                self.0.$call(value, &self.1.0);
            }
        }
    )+};
}

instruments! {
    CounterBase, otel::Counter<u64>, adds, u64, add;
    GaugeBase, otel::Gauge<u64>, records, u64, record;
    GaugeF64Base, otel::Gauge<f64>, records, f64, record;
    HistogramBase, otel::Histogram<u64>, records, u64, record;
    HistogramF64Base, otel::Histogram<f64>, records, f64, record;
    UpDownCounterBase, otel::UpDownCounter<i64>, adds, i64, add;
}

/// A counter of failed requests.
#[derive(Clone)]
struct Failures(otel::Counter<u64>, OnFailure);

impl MetricAttributable<Box<dyn CounterBase>> for Instrument<Failures> {
    fn with_attributes(&self, attributes: &MetricAttributes) -> Result<Box<dyn CounterBase>, Box<dyn Error>> {
        Ok(Box::new(Bound(self.0.clone(), Labels::of(attributes))))
    }
}

impl CounterBase for Bound<Failures> {
    fn adds(&self, value: u64) {
        self.0.0.add(value, &self.1.0);
        (self.0.1)();
    }
}

/// A histogram of seconds.
#[derive(Clone)]
struct Seconds(otel::Histogram<f64>, Option<OnTaken>);

impl MetricAttributable<Box<dyn HistogramDurationBase>> for Instrument<Seconds> {
    fn with_attributes(&self, attributes: &MetricAttributes) -> Result<Box<dyn HistogramDurationBase>, Box<dyn Error>> {
        Ok(Box::new(Bound(self.0.clone(), Labels::of(attributes))))
    }
}

impl HistogramDurationBase for Bound<Seconds> {
    fn records(&self, value: Duration) {
        self.0.0.record(value.as_secs_f64(), &self.1.0);
        if let Some(on_taken) = &self.0.1 {
            on_taken(value);
        }
    }
}

impl CoreMeter for SdkMeter {
    fn new_attributes(&self, new: NewAttributes) -> MetricAttributes {
        self.share(Labels::default().with(new))
    }

    fn extend_attributes(&self, old: MetricAttributes, new: NewAttributes) -> MetricAttributes {
        self.share(Labels::of(&old).as_ref().clone().with(new))
    }

    fn counter(&self, p: MetricParameters) -> Counter {
        let failures = p.name.ends_with(FAILURES);
        let counter = self.meter.u64_counter(p.name).with_description(p.description).build();
        if failures {
            Counter::new(Arc::new(Instrument(Failures(counter, self.on_failure.clone()))))
        } else {
            Counter::new(Arc::new(Instrument(counter)))
        }
    }

    fn histogram(&self, p: MetricParameters) -> Histogram {
        Histogram::new(Arc::new(Instrument(self.meter.u64_histogram(p.name).with_description(p.description).build())))
    }

    fn histogram_f64(&self, p: MetricParameters) -> HistogramF64 {
        HistogramF64::new(Arc::new(Instrument(
            self.meter.f64_histogram(p.name).with_description(p.description).build(),
        )))
    }

    fn histogram_duration(&self, p: MetricParameters) -> HistogramDuration {
        // OpenTelemetry's default boundaries are meant for milliseconds; the SDK knows better ones for its own names.
        let bare = p.name.strip_prefix("temporal_").unwrap_or(&p.name).to_string();
        let buckets = default_buckets_for(&bare, true).to_vec();
        let histogram = self.meter.f64_histogram(p.name).with_unit("s").with_description(p.description);
        let on_taken = bare.ends_with(WAITED).then(|| Arc::clone(&self.on_taken));
        HistogramDuration::new(Arc::new(Instrument(Seconds(histogram.with_boundaries(buckets).build(), on_taken))))
    }

    fn gauge(&self, p: MetricParameters) -> Gauge {
        Gauge::new(Arc::new(Instrument(self.meter.u64_gauge(p.name).with_description(p.description).build())))
    }

    fn gauge_f64(&self, p: MetricParameters) -> GaugeF64 {
        GaugeF64::new(Arc::new(Instrument(self.meter.f64_gauge(p.name).with_description(p.description).build())))
    }

    fn up_down_counter(&self, p: MetricParameters) -> UpDownCounter {
        UpDownCounter::new(Arc::new(Instrument(
            self.meter.i64_up_down_counter(p.name).with_description(p.description).build(),
        )))
    }
}
