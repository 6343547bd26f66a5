//! A first listing with the Rust SDK, as the README shows it.

use vintedbot_sdk::v1::{CreateAccountRequest, CreateListingRequest, ListingInput};
use vintedbot_sdk::{Client, money, name};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // 1. Connect with the token of the first start.
    let address = std::env::var("ADDRESS").unwrap_or_else(|_| "127.0.0.1:50051".into());
    let client = Client::builder(format!("http://{address}"))
        .token_file("data/api-token")
        .build()
        .await?;

    // 2. An account, and a photo.
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
        .expect("it was stored");

    // 3. The listing. What the site offers is read in a moment; until then the call is made again by itself.
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

    // 4. Prepare, and wait until there is something to look at.
    let publish = client.publish();
    let job = publish.prepare(&listing.id).await?;
    let job = publish.settled(&job.id).await?;
    println!("look at it: {}", job.preview_url);

    // 5. Confirm: first dry, then for real.
    let confirmation = job.confirmation.expect("it awaits its confirmation");
    publish.check(&job.id, &confirmation).await?;
    publish.confirm(&job.id, &confirmation).await?;
    println!("published: {}", publish.settled(&job.id).await?.remote_url);
    Ok(())
}
