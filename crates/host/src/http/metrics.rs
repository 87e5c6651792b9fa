//! `GET /metrics`: the status in numbers, as OpenMetrics text. Names and labels are listed in docs/host.md; where
//! OpenTelemetry has a name, it is that one (`target_info`, `feature_flag.evaluation_requests_total`).

use std::fmt::Error;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::{Host, HostStatus, sync};

/// What the text says it is.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(super) async fn metrics(State(host): State<Arc<Host>>) -> Response {
    match render(host.status()) {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

fn render(status: HostStatus) -> Result<String, Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Scrape(status)));
    let mut written = String::new();
    text::encode(&mut written, &registry)?;
    Ok(written)
}

/// One scrape: the status as it is now, so that all numbers of a scrape belong together.
#[derive(Debug)]
struct Scrape(HostStatus);

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder) -> Result<(), Error> {
        let (status, mut page) = (&self.0, Page(encoder));
        let instance = status.events.instance.clone();
        let service = vec![
            ("service_name", "flagstone-host".to_owned()),
            ("service_version", env!("CARGO_PKG_VERSION").to_owned()),
            ("service_instance_id", instance),
        ];
        let info = page.0.encode_descriptor("target", "Who this is", None, MetricType::Info)?;
        Info::new(service).encode(info)?;
        let states =
            sync::State::ALL.map(|state| ([("state", state.name())], u64::from(state == status.state)));
        page.gauges("flagstone_state", "1 for the state the host is in, 0 for the others", &states)?;
        page.counter("feature_flag_evaluation_requests", "Evaluations", status.evaluations)?;
        page.counter("flagstone_engine_traps", "Times the engine trapped", status.traps)?;
        page.counter(
            "flagstone_reverts",
            "Times traps made the host go back to the snapshot before",
            status.reverts,
        )?;
        self.sync(&mut page)?;
        self.events(&mut page)
    }
}

impl Scrape {
    fn sync(&self, page: &mut Page<'_>) -> Result<(), Error> {
        let sync = &self.0.sync;
        if let Some(serving) = &self.0.serving {
            page.gauge(
                "flagstone_snapshot_epoch",
                "Epoch of the snapshot that decides",
                None,
                serving.epoch,
            )?;
            page.gauge(
                "flagstone_snapshot_sequence",
                "Sequence of the snapshot that decides",
                None,
                serving.sequence,
            )?;
        }
        let seconds = Some(&Unit::Seconds);
        if let Some(snapshot) = &sync.snapshot {
            page.gauge(
                "flagstone_snapshot_expires_timestamp",
                "When the snapshot expires",
                seconds,
                snapshot.expires,
            )?;
        }
        if let Some(pulse) = &sync.pulse {
            page.gauge("flagstone_pulse_number", "Number of the last pulse", None, pulse.number)?;
            page.gauge(
                "flagstone_lease_expires_timestamp",
                "When the lease of the last pulse ends",
                seconds,
                pulse.expires,
            )?;
            page.gauge(
                "flagstone_halted_flags",
                "Flags that the last pulse halts",
                None,
                pulse.halts as u64,
            )?;
        }
        page.gauge(
            "flagstone_trust_version",
            "Version of the trust root in force",
            None,
            sync.trust_version,
        )?;
        page.counter("flagstone_sync_attempts", "Looks at the source", sync.attempts)?;
        page.counter("flagstone_sync_failures", "Looks that failed", sync.failures_total)?;
        page.counter("flagstone_sync_swaps", "Snapshots put in force", sync.swaps)?;
        let quarantined = sync.quarantined.len() as u64;
        page.gauge(
            "flagstone_quarantined_snapshots",
            "Snapshots that verified but could not be used",
            None,
            quarantined,
        )?;
        page.gauge("flagstone_push_live", "1 while a stream brings pulses", None, u64::from(sync.push.live))?;
        page.counter("flagstone_push_streams", "Streams of pulses opened", sync.push.streams)?;
        page.counter("flagstone_push_pulses", "Pulses put in force from a stream", sync.push.pulses)
    }

    fn events(&self, page: &mut Page<'_>) -> Result<(), Error> {
        let events = &self.0.events;
        page.counter("flagstone_events_made", "Events handed over", events.made)?;
        page.counter(
            "flagstone_events_repeated",
            "Exposures that their window had already seen",
            events.repeated,
        )?;
        page.counter(
            "flagstone_events_delivered",
            "Events that the receiver acknowledged",
            events.delivered,
        )?;
        let dropped: Vec<_> =
            events.dropped.iter().map(|(reason, count)| ([("reason", reason.as_str())], *count)).collect();
        page.counters("flagstone_events_dropped", "Events lost since the data folder was made", &dropped)?;
        page.gauge("flagstone_events_pending", "Events in the spool", None, events.pending)?;
        page.gauge("flagstone_spool", "Bytes of the spool", Some(&Unit::Bytes), events.spool_bytes)
    }
}

/// Labels and a number.
type Line<'a> = ([(&'a str, &'a str); 1], u64);

struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    fn counter(&mut self, name: &str, help: &str, value: u64) -> Result<(), Error> {
        ConstCounter::new(value).encode(self.0.encode_descriptor(name, help, None, MetricType::Counter)?)
    }

    fn gauge(&mut self, name: &str, help: &str, unit: Option<&Unit>, value: u64) -> Result<(), Error> {
        ConstGauge::new(number(value)).encode(self.0.encode_descriptor(
            name,
            help,
            unit,
            MetricType::Gauge,
        )?)
    }

    fn counters(&mut self, name: &str, help: &str, lines: &[Line<'_>]) -> Result<(), Error> {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        lines
            .iter()
            .try_for_each(|(labels, value)| ConstCounter::new(*value).encode(family.encode_family(labels)?))
    }

    fn gauges(&mut self, name: &str, help: &str, lines: &[Line<'_>]) -> Result<(), Error> {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        lines.iter().try_for_each(|(labels, value)| {
            ConstGauge::new(number(*value)).encode(family.encode_family(labels)?)
        })
    }
}

/// Gauges are signed.
fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
