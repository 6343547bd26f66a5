#!/usr/bin/env bash
# Publishes a listing from photos: upload, create, prepare, preview, dry run, confirm.
#
# usage: examples/publish.sh ACCOUNT_ID TITLE PRICE_IN_CENTS PHOTO...
#
# Needs grpcurl and a running instance. ADDRESS is the server's address (default 127.0.0.1:50051). TOKEN_FILE is the file
# with the API token (default data/api-token). YES=1 answers the last question.
set -euo pipefail

account=$1 title=$2 price=$3
shift 3
address=${ADDRESS:-127.0.0.1:50051}
token=$(cat "${TOKEN_FILE:-data/api-token}")

call() { grpcurl -plaintext -H "authorization: Bearer $token" -d @ "$address" "vintedbot.v1.$1"; }
value() { sed -n "s/.*\"$1\": \"\(.*\)\".*/\1/p" | head -n 1; }
# Waits until the job has the given state. Fails if the job reaches a state that is not on the way there.
wait_for() {
  local state
  while :; do
    call PublishService/GetPublishJob <<< "{\"id\": \"$job\"}" > job.json
    state=$(value state < job.json)
    case $state in
      "$1") return ;;
      STATE_QUEUED | STATE_PREPARING | STATE_CONFIRMED | STATE_PUBLISHING) sleep 1 ;;
      *)
        echo "the job is $state: $(value reasonMessage < job.json)" >&2
        exit 1
        ;;
    esac
  done
}

photos=()
for photo in "$@"; do
  photos+=("$(printf '{"data": "%s"}' "$(base64 -w 0 "$photo")" | call MediaService/UploadPhoto | value id)")
done
printf -v photo_ids '"%s",' "${photos[@]}"

listing=$(call ListingService/CreateListing <<EOT | value id
{
  "account_id": "$account",
  "listing": {
    "title": "$title",
    "description": "Très bon état, lavé, prêt à partir.",
    "price": {"minor_units": $price, "currency_code": "EUR"},
    "category": {"name": "Hommes > Sweats"},
    "brand": {"name": "Nike"},
    "size": {"name": "M"},
    "condition": {"name": "très bon"},
    "colors": [{"name": "bleu"}],
    "package_size": {"name": "petit"},
    "photo_ids": [${photo_ids%,}]
  }
}
EOT
)
job=$(call PublishService/PreparePublish <<< "{\"listing_id\": \"$listing\"}" | value id)
wait_for STATE_AWAITING_CONFIRMATION
echo "preview: $(value previewUrl < job.json)"

confirmation="\"job_id\": \"$job\", \"confirmation\": {\"confirm_token\": \"$(value confirmToken < job.json)\"}"
call PublishService/ConfirmPublish <<< "{$confirmation, \"dry_run\": true}" | grep -c '"passed": true'
if [ "${YES:-}" != 1 ]; then
  read -r -p "publish it? [y/N] " answer
  [ "$answer" = y ] || exit 0
fi
call PublishService/ConfirmPublish <<< "{$confirmation, \"dry_run\": false}" > /dev/null
wait_for STATE_PUBLISHED
echo "published: $(value remoteUrl < job.json)"
