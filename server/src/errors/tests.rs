//! Tests that the mapping matches the contract.

use prost::Message as _;
use prost_types::{FileDescriptorSet, SourceCodeInfo};

use vintedbot_domain::Reason;

use super::domain_errors::code;
use super::*;

/// Returns all of the domain's reasons, from the error text of its parser.
fn domain_reasons() -> Vec<Reason> {
    let error = serde_json::from_str::<Reason>("\"?\"")
        .expect_err("no reason has this name")
        .to_string();
    let names = error.split('`').skip(3).step_by(2);
    names
        .map(|name| Reason::from_name(name).expect("a name from the list"))
        .collect()
}

/// Returns the contract's comment on each reason.
fn documented() -> HashMap<String, String> {
    let files = FileDescriptorSet::decode(vintedbot_proto::FILE_DESCRIPTOR_SET).expect("a descriptor set");
    let file = files
        .file
        .iter()
        .find(|file| file.name().ends_with("error_reason.proto"))
        .expect("the file");
    let values = file.enum_type[0].value.iter();
    let comments = file
        .source_code_info
        .clone()
        .unwrap_or_else(SourceCodeInfo::default);
    values
        .enumerate()
        .map(|(at, value)| {
            // In a file's descriptor, field 5 is its enums; in an enum, field 2 is its values.
            let path = [5, 0, 2, i32::try_from(at).expect("few values")];
            let comment = comments.location.iter().find(|location| location.path == path);
            let text = comment.map(|comment| comment.leading_comments().trim().to_owned());
            (value.name().to_owned(), text.unwrap_or_default())
        })
        .collect()
}

#[test]
fn every_domain_reason_has_the_documented_code() {
    let documented = documented();
    let reasons = domain_reasons();
    assert!(reasons.len() > 40, "{reasons:?}");
    for domain_reason in reasons {
        let name = reason(domain_reason).as_str_name();
        let text = &documented[name];
        let word: String = text
            .chars()
            .take_while(|c| c.is_ascii_uppercase() || *c == '_')
            .collect();
        let expected = match word.as_str() {
            "UNAUTHENTICATED" => Code::Unauthenticated,
            "PERMISSION_DENIED" => Code::PermissionDenied,
            "INVALID_ARGUMENT" => Code::InvalidArgument,
            "NOT_FOUND" => Code::NotFound,
            "ALREADY_EXISTS" => Code::AlreadyExists,
            "ABORTED" => Code::Aborted,
            "FAILED_PRECONDITION" => Code::FailedPrecondition,
            "RESOURCE_EXHAUSTED" => Code::ResourceExhausted,
            "OUT_OF_RANGE" => Code::OutOfRange,
            "UNAVAILABLE" => Code::Unavailable,
            // Reasons of jobs, accounts and upload URLs have no code in the contract.
            _ => continue,
        };
        assert_eq!(code(domain_reason), expected, "{name}: {text}");
    }
}

#[test]
fn internal_error_reveals_only_its_request_id() {
    let error = domain::Error::Internal("secret detail".to_owned());
    let status = complete(Problem::from(error).into(), "id-1", 0);
    let details = status.get_error_details();
    let info = details.error_info().expect("ErrorInfo");
    assert_eq!(status.code(), Code::Internal);
    assert_eq!(info.reason, "ERROR_REASON_INTERNAL");
    assert_eq!(info.metadata["request_id"], "id-1");
    assert_eq!(details.request_info().expect("RequestInfo").request_id, "id-1");
    assert!(!format!("{status:?}").contains("secret detail"));
}

#[test]
fn wait_and_violations_are_error_details() {
    let limited = domain::Error::rejected(Reason::RateLimited, "too many").retry_after(1500);
    let details = Status::from(Problem::from(limited)).get_error_details();
    assert_eq!(
        details.retry_info().and_then(|info| info.retry_delay),
        Some(Duration::from_millis(1500))
    );

    let invalid = domain::Error::Invalid(vec![
        domain::Violation::new("listing.title", "too long"),
        domain::Violation::new("listing.price", "too low"),
    ]);
    let status = Status::from(Problem::from(invalid));
    let fields: Vec<_> = status
        .get_details_bad_request()
        .expect("BadRequest")
        .field_violations
        .into_iter()
        .map(|violation| violation.field)
        .collect();
    assert_eq!(
        (status.code(), fields),
        (
            Code::InvalidArgument,
            vec!["listing.title".into(), "listing.price".into()]
        )
    );
}

/// Returns the bytes of the headers of a status, with 32 for each header as HTTP/2 counts them.
fn header_bytes(status: &Status) -> usize {
    let mut headers = HeaderMap::new();
    status.add_header(&mut headers).expect("it fits into headers");
    let sizes = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 32);
    sizes.sum()
}

#[test]
fn error_about_huge_fields_stays_below_8_kib() {
    for piece in ["x", "é", "😀", "%", "\n"] {
        let huge = piece.repeat(100_000);
        let violation =
            domain::Violation::new(format!("scopes[{huge}]"), format!("there is no scope {huge:?}"));
        let rejected = domain::Error::rejected(Reason::WebhookAddressRefused, &huge)
            .with("url", &huge)
            .with("other", &huge);
        let errors = [
            domain::Error::Invalid(vec![violation.clone()]),
            domain::Error::Invalid(vec![violation; 100]),
            domain::Error::invalid(huge.clone(), huge.clone()),
            domain::Error::not_found("photo", &huge),
            rejected,
        ];
        for error in errors {
            let status = complete(Problem::from(error).into(), &"i".repeat(64), 0);
            let size = header_bytes(&status);
            assert!(size < 8 * 1024, "{size} bytes of {piece:?}");
            assert!(status.get_details_error_info().is_some());
        }
    }
}

#[test]
fn usual_violations_are_reported_up_to_their_maximum() {
    let violation = |at| {
        let text = "must be a UUID like 0191b3c2-7f4e-7d3a-9c51-2f6a8e0d4b17";
        domain::Violation::new(format!("listing.photo_ids[{at}]"), text)
    };
    let status = Status::from(Problem::invalid((0..30).map(violation).collect()));
    let violations = status
        .get_details_bad_request()
        .expect("BadRequest")
        .field_violations;
    assert_eq!(violations.len(), VIOLATIONS_MAX);
}

#[test]
fn error_echoes_at_most_100_characters_of_a_field() {
    let sent = "x".repeat(5_000);
    let error = domain::Error::invalid(
        "scopes[0]",
        format!("there is no scope {sent:?}, see ApiToken.scopes"),
    );
    let status = Status::from(Problem::from(error));
    let violations = status
        .get_details_bad_request()
        .expect("BadRequest")
        .field_violations;
    for text in [status.message(), &violations[0].description] {
        assert_eq!(text.matches('x').count(), 100, "{text}");
        assert!(text.ends_with("see ApiToken.scopes"), "{text}");
    }
}

#[test]
fn status_of_grpc_library_gets_a_reason() {
    let reason_of = |status: Status| {
        let status = complete(status, "id", 7);
        let info = status.get_details_error_info().expect("ErrorInfo");
        (
            status.code(),
            info.reason,
            info.metadata.get("max_bytes").cloned(),
        )
    };
    let large = reason_of(Status::out_of_range("decoded message length too large"));
    assert_eq!(
        large,
        (
            Code::ResourceExhausted,
            "ERROR_REASON_MESSAGE_TOO_LARGE".into(),
            Some("7".into())
        )
    );
    let unreadable = reason_of(Status::internal("failed to decode Protobuf message"));
    assert_eq!(
        unreadable,
        (
            Code::InvalidArgument,
            "ERROR_REASON_VALIDATION_FAILED".into(),
            None
        )
    );
    let unknown = reason_of(Status::unimplemented(""));
    assert_eq!(
        unknown,
        (Code::Unimplemented, "ERROR_REASON_UNIMPLEMENTED".into(), None)
    );
}
