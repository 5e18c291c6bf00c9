//! A share in percent, exact to one decimal.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// More than 0 % and at most 100 %, in tenths of a percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Percent(u16);

impl Percent {
    /// The share as a number, such as 87.5.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / 10.0
    }
}

impl FromStr for Percent {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "give a number of percent from 0.1 to 100, such as 87 or 87.5";
        let (whole, tenth) = text.split_once('.').unwrap_or((text, "0"));
        let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_digits(whole) || !is_digits(tenth) || tenth.len() != 1 {
            return Err(WRONG);
        }
        let tenths: u32 = format!("{whole}{tenth}").parse().map_err(|_| WRONG)?;
        match u16::try_from(tenths) {
            Ok(tenths @ 1..=1000) => Ok(Self(tenths)),
            _ => Err(WRONG),
        }
    }
}

impl Display for Percent {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match (self.0 / 10, self.0 % 10) {
            (whole, 0) => write!(f, "{whole}"),
            (whole, tenth) => write!(f, "{whole}.{tenth}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_shares_with_one_decimal_are_taken() {
        for (text, shown) in [("87", "87"), ("87.0", "87"), ("93.5", "93.5"), ("100", "100"), ("0.1", "0.1")] {
            assert_eq!(text.parse::<Percent>().unwrap().to_string(), shown);
        }
        for text in ["", "0", "100.1", "87.55", "87.", ".5", "-3", "+3", "1e1", "90%", "99999999999"] {
            assert!(text.parse::<Percent>().is_err(), "{text}");
        }
    }

    #[test]
    fn they_compare_as_numbers() {
        let [low, high]: [Percent; 2] = ["9.9", "10"].map(|text| text.parse().unwrap());
        assert!(low < high && (low.as_f64() - 9.9).abs() < 1e-9);
    }
}
