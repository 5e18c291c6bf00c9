//! The errors of who may not, with what to do about it.

use axum::http::StatusCode;

use super::error::ApiError;
use crate::server::auth::Wrong;
use crate::server::auth::rights::{Grant, Who};
use crate::server::auth::throttle::TooMany;

const KIND: &str = "auth";

const WHERE_THE_TOKEN_IS: &str = "Open the address that quarterdeck printed when it started, or send the token as \
    \"Authorization: Bearer\".";

fn unauthorized(message: &str) -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, KIND, "UNAUTHORIZED", message).suggest(WHERE_THE_TOKEN_IS)
}

fn forbidden(code: &'static str, message: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::FORBIDDEN, KIND, code, message)
}

impl ApiError {
    /// 401: nothing was shown.
    pub fn not_logged_in() -> Self {
        unauthorized("A token is needed for this")
    }

    /// 401: the token.
    pub fn bad_token(wrong: Wrong) -> Self {
        match wrong {
            Wrong::Unknown => unauthorized("This token is not the right one"),
            Wrong::Expired => {
                unauthorized("This token has expired").suggest("Ask for a new one: quarterdeck token new.")
            }
        }
    }

    /// 401: the cookie.
    pub fn bad_cookie(wrong: Wrong) -> Self {
        match wrong {
            Wrong::Unknown => unauthorized("This login is no longer good: the token was changed or revoked"),
            Wrong::Expired => unauthorized("This login has expired"),
        }
    }

    /// 401: the login ended while the request waited.
    pub fn login_over(reason: &str) -> Self {
        unauthorized(&super::sessions::capitalised(reason))
    }

    /// 429: too many wrong tokens.
    pub fn too_many_attempts(TooMany(wait): TooMany) -> Self {
        let seconds = wait.as_millis().div_ceil(1000).max(1);
        let message = "Too many wrong tokens were sent from this address";
        Self::new(StatusCode::TOO_MANY_REQUESTS, KIND, "TOO_MANY_ATTEMPTS", message)
            .suggest(format!("Wait {seconds} s, and then send the right one."))
            .retry_after(u64::try_from(seconds).unwrap_or(u64::MAX))
    }

    /// 403: the token is good, but not for this.
    pub fn forbidden(grant: &Grant) -> Self {
        let advice = match grant.who {
            Who::Guest(_) => "Use the container's own token, or ask for one that may do more.",
            Who::Owner | Who::Anybody | Who::Holder => "Ask on the Unix socket.",
        };
        forbidden("FORBIDDEN", grant.in_words()).suggest(advice)
    }

    /// 403: nothing is left that the token is for.
    pub fn session_of_token_gone() -> Self {
        forbidden("FORBIDDEN", "The session that this token was made for has been deleted")
            .suggest("Ask for a token for another session.")
    }

    /// 403: DNS rebinding, or a name that was not told to us.
    pub fn host_not_allowed(host: &str) -> Self {
        let message = if host.is_empty() {
            "The request does not say by which name it came".to_owned()
        } else {
            format!("The API does not answer to the name {host:?}")
        };
        let suggestion = match host.parse::<crate::model::address::Host>() {
            Ok(host) => format!("If this is the right name, start quarterdeck with --allow-host {}.", host.name),
            Err(_) => "Send one Host header, with a name that is given with --allow-host.".to_owned(),
        };
        forbidden("HOST_NOT_ALLOWED", message).suggest(suggestion)
    }

    /// 403: another page.
    pub fn origin_not_allowed(origin: &str, to_allow: &str) -> Self {
        forbidden("ORIGIN_NOT_ALLOWED", format!("Pages of {origin} may not use the API"))
            .suggest(format!("If this is the right page, start quarterdeck with --allow-origin {to_allow}."))
    }

    /// 404: no such token.
    pub fn no_token(id: &str) -> Self {
        Self::not_found(format!("There is no token {id:?}"))
            .suggest("`quarterdeck token ls` lists the tokens there are.")
    }

    /// 409: a token would let nobody in who is not in already.
    pub fn no_tokens_without_auth() -> Self {
        let message = "Tokens mean nothing here: nobody is asked for one";
        Self::new(StatusCode::CONFLICT, "conflict", "NO_AUTH", message).suggest("Start quarterdeck without --no-auth.")
    }

    /// 409: enough.
    pub fn too_many_tokens(max: usize) -> Self {
        let message = format!("There are {max} tokens already");
        Self::new(StatusCode::CONFLICT, "conflict", "TOO_MANY_TOKENS", message)
            .suggest("Remove those that are no longer needed, with quarterdeck token rm.")
    }

    /// 503: the disk.
    pub fn tokens_not_kept(reason: String) -> Self {
        let message = "The list of tokens can't be used";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "internal", "STATE_UNAVAILABLE", message)
            .details(reason)
            .suggest("Look at the disk of the state directory, and try again.")
    }
}
