//! Publishes a first listing with the Rust SDK. docs/rust-sdk.md shows this file.

use vintedbot_sdk::v1::{CreateAccountRequest, CreateListingRequest, ListingInput};
use vintedbot_sdk::{Client, money, name};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // 1. Connect with the API token of the first start.
    let address = std::env::var("ADDRESS").unwrap_or_else(|_| "127.0.0.1:50051".into());
    let client = Client::builder(format!("http://{address}"))
        .token_file("data/api-token")
        .build()
        .await?;

    // 2. Create an account and upload a photo.
    let account = client
        .accounts()
        .create(CreateAccountRequest {
            display_name: "My wardrobe".into(),
            market: "fr".into(),
            ..Default::default()
        })
        .await?;
    let photo = client
        .media()
        .upload("front.jpg")
        .await?
        .photo
        .expect("an upload returns its photo");

    // 3. Create the listing. The SDK retries the call until the worker has read the site's catalogue.
    let listing = client
        .listings()
        .create(CreateListingRequest {
            account_id: account.id,
            listing: Some(ListingInput {
                title: "Pull vert bouteille".into(),
                description: "Chaud, sans bouloches.".into(),
                price: Some(money(2_200, "EUR")),
                category: Some(name("Hommes > Sweats")),
                brand: Some(name("Nike")),
                size: Some(name("L")),
                condition: Some(name("très bon")),
                colors: vec![name("vert")],
                package_size: Some(name("petit")),
                photo_ids: vec![photo.id],
                ..Default::default()
            }),
            ..Default::default()
        })
        .await?;

    // 4. Prepare it, and wait until the job awaits confirmation.
    let publish = client.publish();
    let job = publish.prepare(&listing.id).await?;
    let job = publish.settled(&job.id).await?;
    println!("preview: {}", job.preview_url);

    // 5. Confirm it: first as a dry run, then for real.
    let confirmation = job.confirmation.expect("a prepared job has a confirmation");
    publish.check(&job.id, &confirmation).await?;
    publish.confirm(&job.id, &confirmation).await?;
    println!("published: {}", publish.settled(&job.id).await?.remote_url);
    Ok(())
}
