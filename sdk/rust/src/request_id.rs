//! The idempotency key `request_id`, which makes it safe to repeat a changing call.

use vintedbot_proto::v1;

use crate::random;

/// A request that changes something. The server executes it once per `request_id`.
pub trait Change: Clone + Send + Sync + 'static {
    fn request_id(&mut self) -> &mut String;

    /// Sets a new `request_id` if the caller has set none.
    fn identified(mut self) -> Self {
        let id = self.request_id();
        if id.is_empty() {
            *id = random::uuid();
        }
        self
    }
}

macro_rules! changes {
    ($($request:ident)*) => {$(
        impl Change for v1::$request {
            fn request_id(&mut self) -> &mut String {
                &mut self.request_id
            }
        }
    )*};
}

changes! {
    CreateAccountRequest UpdateAccountRequest DeleteAccountRequest SetModeRequest ResumeAccountRequest
    ImportSessionRequest ForgetSessionRequest
    CreateInvitationRequest CreateApiTokenRequest RevokeApiTokenRequest
    UploadPhotoRequest CreateUploadUrlRequest DeletePhotoRequest
    CreateListingRequest CreateListingFromPhotosRequest UpdateListingRequest DeleteListingRequest
    ImportWardrobeRequest AcceptRemoteChangesRequest
    PreparePublishRequest PrepareChangeRequest ConfirmPublishRequest SchedulePublishRequest CancelPublishJobRequest
    RetryPublishJobRequest ResolvePublishJobRequest
    MarkThreadsRequest ArchiveThreadsRequest LabelThreadsRequest SnoozeThreadRequest SetThreadNoteRequest
    DeleteThreadRequest ConfirmThreadRemovalRequest
    SendReplyRequest ConfirmReplyRequest CancelReplyRequest RetryReplyRequest ResolveReplyRequest
    CreateTemplateRequest UpdateTemplateRequest DeleteTemplateRequest
    CreateEndpointRequest UpdateEndpointRequest DeleteEndpointRequest RotateSecretRequest
    SendTestRequest ReplayDeliveryRequest ReplayDeliveriesRequest
}
