//! The mapping holds what the contract says.

use prost::Message as _;
use prost_types::{FileDescriptorSet, SourceCodeInfo};

use vintedbot_domain::Reason;

use super::domain_errors::code;
use super::*;

/// The names of all of the domain's reasons, as its own parser lists them.
fn domain_reasons() -> Vec<Reason> {
    let error = serde_json::from_str::<Reason>("\"?\"")
        .expect_err("no reason is called that")
        .to_string();
    let names = error.split('`').skip(3).step_by(2);
    names
        .map(|name| Reason::from_name(name).expect("a name from the list"))
        .collect()
}

/// The contract's comment on each reason.
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
            // Field 5 of a file is its enums, field 2 of an enum its values.
            let path = [5, 0, 2, i32::try_from(at).expect("few values")];
            let comment = comments.location.iter().find(|location| location.path == path);
            let text = comment.map(|comment| comment.leading_comments().trim().to_owned());
            (value.name().to_owned(), text.unwrap_or_default())
        })
        .collect()
}

#[test]
fn every_reason_of_the_domain_is_in_the_contract_with_the_code_that_is_documented_there() {
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
            // Reasons of jobs and accounts, and of upload addresses, have no code of their own.
            _ => continue,
        };
        assert_eq!(code(domain_reason), expected, "{name}: {text}");
    }
}

#[test]
fn an_internal_error_tells_nothing_but_its_request_id() {
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
fn a_wait_leaves_as_retry_info_and_every_violation_as_a_field() {
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

#[test]
fn a_status_of_the_library_gets_the_reason_that_it_stands_for() {
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
