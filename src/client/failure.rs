//! What a client command says when it can't do what it was told.

use std::fmt;

use serde_json::Value;

/// What happened, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    message: String,
    suggestion: Option<String>,
}

impl Failure {
    /// Without a suggestion.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), suggestion: None }
    }

    /// Nothing needs to be said: who reads our output has had enough of it.
    #[must_use]
    pub fn silent() -> Self {
        Self::new("")
    }

    /// Whether it is [`Failure::silent`].
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.message.is_empty()
    }

    /// With what to do next.
    #[must_use]
    pub fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }

    /// From an answer of the API that is an error.
    #[must_use]
    pub fn answered(status: u16, body: &[u8]) -> Self {
        let answer: Value = serde_json::from_slice(body).unwrap_or_default();
        let error = &answer["error"];
        let Some(message) = error["message"].as_str() else {
            let text = String::from_utf8_lossy(&body[..body.len().min(200)]);
            return Self::new(format!("quarterdeck answered with status {status}: {text}"));
        };
        let mut failure = Self::new(message);
        if let Some(details) = error["details"].as_str().filter(|details| !details.is_empty()) {
            failure.message = sentences(&failure.message, details);
        }
        // The API speaks to who writes requests.
        let suggestion = match error["suggestion"].as_str() {
            Some(text) if text.starts_with("GET /api/sessions ") => {
                Some("`quarterdeck ls` lists the sessions there are.")
            }
            text => text.filter(|text| !text.is_empty()),
        };
        failure.suggestion = suggestion.map(str::to_owned);
        failure
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.suggestion {
            // A sentence goes on with a sentence, a clause with a clause.
            Some(suggestion) if suggestion.starts_with(|c: char| c.is_lowercase()) => {
                write!(f, "{}; {suggestion}", self.message)
            }
            Some(suggestion) => f.write_str(&sentences(&self.message, suggestion)),
            None => f.write_str(&self.message),
        }
    }
}

fn sentences(first: &str, second: &str) -> String {
    let stop = if first.ends_with(['.', '!', '?', ':']) { "" } else { "." };
    format!("{first}{stop} {second}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_apis_words_come_in_one_line() {
        let body = br#"{"error":{"message":"Maximum resource capacity reached","code":"RESOURCE_EXHAUSTED",
            "details":"Memory usage is at 93%.","suggestion":"Close idle sessions."},"code":"RESOURCE_EXHAUSTED"}"#;
        let text = Failure::answered(503, body).to_string();
        assert_eq!(text, "Maximum resource capacity reached. Memory usage is at 93%. Close idle sessions.");
    }

    #[test]
    fn an_answer_without_words_is_quoted() {
        assert_eq!(Failure::answered(502, b"oops").to_string(), "quarterdeck answered with status 502: oops");
    }
}
