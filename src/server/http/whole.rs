//! Whole numbers of JSON, which has no others: `80.0` is `80` (and so it is in
//! JSON Schema). Some languages write all their numbers with a point.

use serde::de::{Error, Unexpected};
use serde::{Deserialize, Deserializer};

#[derive(Deserialize)]
#[serde(untagged, expecting = "a whole number, not negative")]
enum Number {
    Whole(u64),
    Real(f64),
}

/// Largest number below which an `f64` is exact.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A whole number of type `T`, for `deserialize_with`.
///
/// # Errors
/// What is no number, or none that `T` can hold.
pub fn number<'de, T: TryFrom<u64>, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    let number = match Number::deserialize(from)? {
        Number::Whole(number) => number,
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and in range, as just seen")]
        Number::Real(real) if real.fract() == 0.0 && (0.0..EXACT).contains(&real) => real as u64,
        Number::Real(real) => return Err(D::Error::invalid_value(Unexpected::Float(real), &"a whole number")),
    };
    T::try_from(number).map_err(|_| D::Error::invalid_value(Unexpected::Unsigned(number), &"a smaller number"))
}

/// The same for what may be left out; needs `default` beside it.
///
/// # Errors
/// As [`number`].
pub fn optional<'de, T: TryFrom<u64>, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    struct Whole<T>(T);
    impl<'de, T: TryFrom<u64>> Deserialize<'de> for Whole<T> {
        fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            number(from).map(Self)
        }
    }
    Ok(Option::<Whole<T>>::deserialize(from)?.map(|Whole(number)| number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Size {
        #[serde(deserialize_with = "number")]
        cols: u8,
        #[serde(default, deserialize_with = "optional")]
        rows: Option<u64>,
    }

    fn size(text: &str) -> Result<Size, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn a_point_makes_no_other_number() {
        assert_eq!(size(r#"{"cols":80.0,"rows":1e3}"#).unwrap(), Size { cols: 80, rows: Some(1000) });
        assert_eq!(size(r#"{"cols":80,"rows":null}"#).unwrap(), Size { cols: 80, rows: None });
        assert_eq!(size(r#"{"cols":0}"#).unwrap(), Size { cols: 0, rows: None });
    }

    #[test]
    fn what_is_no_whole_number_of_the_type_is_refused() {
        for bad in ["80.5", "-1", "-1.0", "256", "1e300", "\"80\"", "true", "null", "[80]"] {
            assert!(size(&format!("{{\"cols\":{bad}}}")).is_err(), "{bad}");
        }
        assert!(size(r#"{"cols":1,"rows":0.1}"#).is_err());
    }
}
