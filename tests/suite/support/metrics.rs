//! A scrape of `/metrics`, read by Prometheus' own parser.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::Api;

/// One metric with its samples.
#[derive(Debug, Deserialize)]
pub struct Family {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    help: String,
    pub samples: Vec<Sample>,
}

/// One sample.
#[derive(Debug, Deserialize)]
pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

/// One answer, in the order it came.
pub struct Scrape(pub Vec<Family>);

impl Scrape {
    /// Fetches, parses and checks what holds for every answer.
    #[track_caller]
    pub fn of(api: &Api) -> Self {
        let reply = api.get("/metrics");
        assert_eq!(reply.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
        let scrape = Self(parse(&reply.bytes_of(200)));
        scrape.check();
        scrape
    }

    fn check(&self) {
        let mut names = BTreeSet::new();
        for family in &self.0 {
            let name = &family.name;
            assert!(names.insert(name), "{name} comes twice");
            assert!(name.starts_with("quarterdeck_"), "{name}");
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{name}");
            assert_eq!(family.kind == "counter", name.ends_with("_total"), "{name} is a {}", family.kind);
            assert!(family.help.ends_with('.'), "{name}: {}", family.help);
            let mut series = BTreeSet::new();
            for sample in &family.samples {
                assert!(series.insert((&sample.name, &sample.labels)), "{sample:?} comes twice");
                assert!(sample.value >= 0.0, "{sample:?}");
                if family.kind != "histogram" {
                    assert_eq!(&sample.name, name);
                }
            }
            if family.kind == "histogram" {
                check_histogram(family);
            }
        }
    }

    /// The metric of that name, which is in every answer.
    #[track_caller]
    pub fn family(&self, name: &str) -> &Family {
        self.0.iter().find(|family| family.name == name).unwrap_or_else(|| panic!("no metric {name}"))
    }

    /// The sample with these labels among others, if there is one.
    pub fn get(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let has =
            |sample: &Sample| labels.iter().all(|(name, value)| sample.labels.get(*name).is_some_and(|v| v == value));
        let mut samples = self.0.iter().flat_map(|family| &family.samples);
        samples.find(|sample| sample.name == name && has(sample)).map(|sample| sample.value)
    }

    /// The same, where it must be.
    #[track_caller]
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.get(name, labels).unwrap_or_else(|| panic!("no sample {name} {labels:?}"))
    }
}

fn check_histogram(family: &Family) {
    let of = |ending: &str| {
        let name = format!("{}{ending}", family.name);
        family.samples.iter().filter(move |sample| sample.name == name).collect::<Vec<_>>()
    };
    let buckets = of("_bucket");
    let bounds: Vec<f64> = buckets.iter().map(|sample| sample.labels["le"].parse().expect("a bound")).collect();
    assert!(bounds.is_sorted() && bounds.last() == Some(&f64::INFINITY), "{bounds:?}");
    assert!(buckets.is_sorted_by(|a, b| a.value <= b.value), "{buckets:?}");
    let [count] = of("_count")[..] else { panic!("no count: {family:?}") };
    assert_eq!(buckets.last().map(|sample| sample.value), Some(count.value));
    assert_eq!(of("_sum").len(), 1);
}

/// Debian's Python, because the parser is one of Debian's packages.
#[track_caller]
fn parse(text: &[u8]) -> Vec<Family> {
    let mut python = Command::new("/usr/bin/python3")
        .args(["-c", include_str!("metrics.py")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("/usr/bin/python3");
    python.stdin.take().expect("a pipe").write_all(text).expect("a reader");
    let output = python.wait_with_output().expect("an end");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}\n{}", String::from_utf8_lossy(text));
    serde_json::from_slice(&output.stdout).expect("JSON")
}
