//! Prometheus' text format, version 0.0.4.

use std::fmt::{self, Display, Write};

use super::histogram::{BOUNDS, Observed};

/// The format's media type.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A text under construction.
#[derive(Debug, Default)]
pub struct Exposition(String);

/// One metric: its head is written, its samples follow. A metric of which
/// there is nothing to tell now has a head only.
#[derive(Debug)]
pub struct Metric<'t> {
    text: &'t mut String,
    name: &'static str,
}

/// A sample's value.
#[derive(Clone, Copy, Debug)]
pub enum Value {
    /// Exact.
    Integer(u64),
    /// Anything else.
    Real(f64),
}

impl Exposition {
    /// Starts a metric that goes up and down.
    pub fn gauge(&mut self, name: &'static str, help: &str) -> Metric<'_> {
        self.metric(name, "gauge", help)
    }

    /// Starts a metric that only grows.
    pub fn counter(&mut self, name: &'static str, help: &str) -> Metric<'_> {
        self.metric(name, "counter", help)
    }

    /// Writes a histogram.
    pub fn histogram(&mut self, name: &'static str, help: &str, observed: &Observed) {
        let Metric { text, .. } = self.metric(name, "histogram", help);
        for (bound, below) in BOUNDS.iter().zip(observed.below) {
            put(text, name, "_bucket", &[("le", &bound.to_string())], below);
        }
        put(text, name, "_bucket", &[("le", "+Inf")], observed.count);
        put(text, name, "_sum", &[], observed.sum);
        put(text, name, "_count", &[], observed.count);
    }

    fn metric(&mut self, name: &'static str, kind: &str, help: &str) -> Metric<'_> {
        push(&mut self.0, format_args!("# HELP {name} {}\n# TYPE {name} {kind}\n", Escaped(help, "\\\n")));
        Metric { text: &mut self.0, name }
    }

    /// The whole text.
    #[must_use]
    pub fn finish(self) -> String {
        self.0
    }
}

impl Metric<'_> {
    /// The only sample, without labels.
    pub fn value(mut self, value: impl Into<Value>) {
        self.sample(&[], value);
    }

    /// The only sample, if there is anything to tell.
    pub fn maybe(self, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.value(value);
        }
    }

    /// One of several samples, told apart by their labels.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: impl Into<Value>) {
        put(self.text, self.name, "", labels, value.into());
    }
}

fn put(text: &mut String, name: &str, suffix: &str, labels: &[(&str, &str)], value: impl Into<Value>) {
    push(text, format_args!("{name}{suffix}"));
    for (at, (label, told)) in labels.iter().enumerate() {
        let before = if at == 0 { '{' } else { ',' };
        push(text, format_args!("{before}{label}=\"{}\"", Escaped(told, "\\\n\"")));
    }
    let end = if labels.is_empty() { "" } else { "}" };
    push(text, format_args!("{end} {}\n", value.into()));
}

fn push(text: &mut String, what: fmt::Arguments<'_>) {
    // A string takes everything.
    let _ = text.write_fmt(what);
}

/// Text with a backslash before each of these characters.
struct Escaped<'a>(&'a str, &'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if self.1.contains(c) {
                f.write_char('\\')?;
            }
            f.write_char(if c == '\n' && self.1.contains(c) { 'n' } else { c })?;
        }
        Ok(())
    }
}

impl Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(n) => n.fmt(f),
            Self::Real(n) => n.fmt(f),
        }
    }
}

impl From<u64> for Value {
    fn from(n: u64) -> Self {
        Self::Integer(n)
    }
}

impl From<u32> for Value {
    fn from(n: u32) -> Self {
        Self::Integer(n.into())
    }
}

impl From<usize> for Value {
    fn from(n: usize) -> Self {
        Self::Integer(n as u64)
    }
}

impl From<bool> for Value {
    fn from(yes: bool) -> Self {
        Self::Integer(yes.into())
    }
}

impl From<f64> for Value {
    fn from(n: f64) -> Self {
        Self::Real(n)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::histogram::Histogram;
    use super::*;

    #[test]
    fn samples_are_written_as_the_format_has_them() {
        let mut text = Exposition::default();
        text.gauge("a_bytes", "One \\ two\n\"three\".").value(7_u64);
        text.gauge("b_seconds", "Nothing now.").maybe(None::<f64>);
        let mut metric = text.counter("c_total", "Some.");
        metric.sample(&[("x", "y"), ("z", "\\ \" \n é {},=")], 0.25);
        metric.sample(&[("x", "")], true);
        let expected = concat!(
            "# HELP a_bytes One \\\\ two\\n\"three\".\n# TYPE a_bytes gauge\na_bytes 7\n",
            "# HELP b_seconds Nothing now.\n# TYPE b_seconds gauge\n",
            "# HELP c_total Some.\n# TYPE c_total counter\n",
            "c_total{x=\"y\",z=\"\\\\ \\\" \\n é {},=\"} 0.25\nc_total{x=\"\"} 1\n",
        );
        assert_eq!(text.finish(), expected);
    }

    #[test]
    fn a_histogram_ends_with_everything() {
        let (histogram, mut text) = (Histogram::default(), Exposition::default());
        histogram.observe(Duration::from_millis(2));
        histogram.observe(Duration::from_secs(2));
        text.histogram("h_seconds", "Time.", &histogram.observed());
        let text = text.finish();
        let expected =
            "h_seconds_bucket{le=\"1\"} 1\nh_seconds_bucket{le=\"+Inf\"} 2\nh_seconds_sum 2.002\nh_seconds_count 2\n";
        assert!(text.ends_with(expected), "{text}");
        assert!(text.contains("h_seconds_bucket{le=\"0.0001\"} 0\n"), "{text}");
    }
}
