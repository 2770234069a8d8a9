//! What is answered, in which versions.

use crate::broker::wire::api_versions::{ApiVersion, ApiVersionsRequest, ApiVersionsResponse};
use crate::broker::wire::{APIS, Api, ApiKey, ErrorCode};

/// Answers ApiVersions. A client that says what it is must say it in plain letters.
pub fn api_versions(version: i16, request: &ApiVersionsRequest) -> ApiVersionsResponse {
    let named = is_plain(&request.client_software_name) && is_plain(&request.client_software_version);
    if version >= 3 && !named {
        return ApiVersionsResponse { error_code: ErrorCode::InvalidRequest, ..ApiVersionsResponse::default() };
    }
    ApiVersionsResponse { api_keys: APIS.iter().map(announced).collect(), ..ApiVersionsResponse::default() }
}

/// The answer to a version that is not known, always in version 0: the client asks again with one that is.
pub fn unsupported() -> ApiVersionsResponse {
    let own = APIS.iter().filter(|api| api.key == ApiKey::ApiVersions).map(announced).collect();
    ApiVersionsResponse { error_code: ErrorCode::UnsupportedVersion, api_keys: own, ..ApiVersionsResponse::default() }
}

fn announced(api: &Api) -> ApiVersion {
    ApiVersion { api_key: api.key as i16, min_version: api.announced_oldest(), max_version: api.newest }
}

/// Kafka's rule: letters, digits, dots and dashes, neither at the ends.
fn is_plain(text: &str) -> bool {
    let ends = |at: Option<char>| at.is_some_and(|at| at.is_ascii_alphanumeric());
    ends(text.chars().next()) && ends(text.chars().last()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-')
}
