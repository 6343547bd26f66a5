//! Items and drafts, their visibility, and their form in the site's JSON.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::ontology::{Locale, ontology};
use crate::store::{Photo, State};

/// The currency of the only market that the practice site simulates.
pub const CURRENCY: &str = "EUR";

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Item {
    pub id: u64,
    pub member_id: u64,
    pub is_draft: bool,
    pub is_hidden: bool,
    /// Whether the item has been sold.
    #[serde(default)]
    pub is_closed: bool,
    #[serde(default)]
    pub is_reserved: bool,
    /// The id of the former draft, once published.
    pub draft_id: Option<u64>,
    pub title: String,
    pub description: String,
    /// Minor units.
    pub price: Option<i64>,
    pub catalog_id: Option<u64>,
    pub brand_id: Option<u64>,
    /// The name of a brand that has no id on the site.
    pub custom_brand: Option<String>,
    pub size_id: Option<u64>,
    pub condition_id: Option<u64>,
    pub color_ids: Vec<u64>,
    pub material_ids: Vec<u64>,
    pub package_size_id: Option<u64>,
    pub is_unisex: bool,
    pub isbn: Option<String>,
    /// Centimetres.
    #[serde(default)]
    pub measurement_length: Option<u64>,
    #[serde(default)]
    pub measurement_width: Option<u64>,
    pub photo_ids: Vec<u64>,
    /// UTC milliseconds.
    pub create_time: i64,
    /// The time from which lists show the current state, in UTC milliseconds; `None` means never.
    pub list_time: Option<i64>,
    /// The time from which readings by id show the current state, in UTC milliseconds.
    pub read_time: i64,
    /// The state that lists and readings show before those times.
    pub before: Option<Box<Item>>,
}

impl Item {
    /// Returns the state that a list shows at `now`.
    pub fn listed(&self, now: i64) -> Option<&Self> {
        match self.list_time {
            Some(from) if from <= now => Some(self),
            Some(_) => self.before.as_deref().and_then(|before| before.listed(now)),
            None => None,
        }
    }

    /// Returns the state that a reading by id shows at `now`.
    fn readable(&self, now: i64) -> Option<&Self> {
        if self.read_time <= now {
            return Some(self);
        }
        self.before.as_deref().and_then(|before| before.readable(now))
    }

    /// Returns the brand's name in `locale`; empty without a brand.
    pub fn brand_title(&self, locale: Locale) -> String {
        let known = self.brand_id.and_then(|id| ontology().brand_title(id, locale));
        known
            .map(str::to_owned)
            .or_else(|| self.custom_brand.clone())
            .unwrap_or_default()
    }

    /// Returns the item's attributes in the format of the forms.
    fn attributes(&self) -> Value {
        let mut attributes = Vec::new();
        let one = |id: Option<u64>| id.into_iter().collect::<Vec<_>>();
        for (code, ids) in [
            ("size", one(self.size_id)),
            ("condition", one(self.condition_id)),
            ("material", self.material_ids.clone()),
        ] {
            if !ids.is_empty() {
                attributes.push(json!({"code": code, "ids": ids}));
            }
        }
        attributes.into()
    }
}

/// Formats minor units like the decimals in the site's JSON: `29.0`, `29.5`, `29.99`.
pub fn decimal(minor: i64) -> String {
    let (whole, cents) = (minor / 100, minor % 100);
    if cents % 10 == 0 {
        format!("{whole}.{}", cents / 10)
    } else {
        format!("{whole}.{cents:02}")
    }
}

/// Formats minor units as pages and forms do: decimal comma, no-break space, currency sign.
pub fn price_text(minor: i64) -> String {
    format!("{},{:02}\u{a0}€", minor / 100, minor % 100)
}

pub fn money(minor: Option<i64>) -> Value {
    minor.map_or(
        Value::Null,
        |minor| json!({"amount": decimal(minor), "currency_code": CURRENCY}),
    )
}

impl State {
    /// Returns the state that a reading of `id` shows at `now`. This also works if a publication that is not visible
    /// yet has changed the id.
    pub fn item(&self, id: u64, now: i64) -> Option<&Item> {
        let present = self
            .items
            .get(&id)
            .and_then(|item| item.readable(now))
            .filter(|item| item.id == id);
        let earlier = || {
            self.items
                .values()
                .filter_map(|item| item.readable(now))
                .find(|item| item.id == id)
        };
        present.or_else(earlier)
    }

    /// Returns a member's wardrobe as lists show it at `now`, newest first. Only its owner sees drafts and hidden
    /// items.
    pub fn wardrobe(&self, member_id: u64, owner: bool, now: i64) -> Vec<&Item> {
        let own = self.items.values().filter(|item| item.member_id == member_id);
        let mut seen: Vec<_> = own.filter_map(|item| item.listed(now)).collect();
        seen.retain(|item| owner || !(item.is_draft || item.is_hidden));
        seen.sort_by_key(|item| std::cmp::Reverse((item.create_time, item.id)));
        seen
    }

    /// Returns a photo in the site's JSON. All sizes are served from the same bytes.
    pub fn photo_json(&self, photo: &Photo, number: usize, base_url: &str) -> Value {
        let url = |kind: &str| format!("{base_url}/photos/{}/{kind}", photo.id);
        let thumbnail = |width: u32, height: u32| {
            json!({
                "type": format!("thumb{width}x{height}"),
                "url": url(&format!("{width}x{height}")),
                "width": width,
                "height": height,
                "original_size": null,
            })
        };
        json!({
            "id": photo.id,
            "image_no": number,
            "width": photo.width,
            "height": photo.height,
            "temp_uuid": photo.temp_uuid,
            "dominant_color": "#3D7A7C",
            "dominant_color_opaque": "#C5D7D8",
            "url": url("f800"),
            "is_main": number == 1,
            "thumbnails": [thumbnail(70, 100), thumbnail(150, 210), thumbnail(310, 430)],
            "high_resolution": {"id": format!("practice_{}", photo.id), "timestamp": 0, "orientation": null},
            "is_suspicious": false,
            "full_size_url": url("full"),
            "is_hidden": false,
        })
    }

    /// Returns an item's photos in the site's JSON, in order.
    pub fn photos_json(&self, item: &Item, base_url: &str) -> Vec<Value> {
        let photos = item
            .photo_ids
            .iter()
            .filter_map(|id| self.photos.get(id))
            .enumerate();
        photos
            .map(|(n, photo)| self.photo_json(photo, n + 1, base_url))
            .collect()
    }

    /// Returns a row of the wardrobe: names, and no id except the item's own.
    pub fn wardrobe_json(&self, item: &Item, locale: Locale, base_url: &str) -> Value {
        json!({
            "id": item.id,
            "title": item.title,
            "price": money(item.price),
            "size": item.size_id.and_then(|id| ontology().size_title(id, locale)).unwrap_or(""),
            "brand": item.brand_title(locale),
            "status": item.condition_id.and_then(|id| ontology().condition_title(id, locale)).unwrap_or(""),
            "photos": self.photos_json(item, base_url),
            "url": format!("{base_url}/items/{}", item.id),
            "is_closed": item.is_closed,
            "is_hidden": item.is_hidden,
            "is_draft": item.is_draft,
            "is_reserved": item.is_reserved,
            "view_count": 0,
            "favourite_count": 0,
            "item_closing_action": item.is_closed.then_some("sold"),
        })
    }

    /// Returns the member's own item for the editor, with all ids.
    pub fn edit_json(&self, item: &Item, locale: Locale, base_url: &str) -> Value {
        let brand = item.brand_id.map(|id| {
            let brand = ontology().brand(id);
            json!({
                "id": id,
                "title": item.brand_title(locale),
                "is_luxury": brand.is_some_and(|brand| brand.is_luxury),
                "requires_authenticity_check": brand.is_some_and(|brand| brand.requires_authenticity_check),
            })
        });
        json!({
            "id": item.id,
            "user_id": item.member_id,
            "title": item.title,
            "description": item.description,
            "catalog_id": item.catalog_id,
            "brand_id": item.brand_id,
            "brand": item.brand_title(locale),
            "brand_dto": brand,
            "size_id": item.size_id,
            "status_id": item.condition_id,
            "color1_id": item.color_ids.first(),
            "color2_id": item.color_ids.get(1),
            "package_size_id": item.package_size_id,
            "photos": self.photos_json(item, base_url),
            "item_attributes": item.attributes(),
            "price": money(item.price),
            "currency": CURRENCY,
            "is_unisex": item.is_unisex,
            "isbn": item.isbn,
            "is_draft": item.is_draft,
            "is_hidden": item.is_hidden,
            "is_closed": item.is_closed,
            "is_reserved": item.is_reserved,
            "measurement_length": item.measurement_length,
            "measurement_width": item.measurement_width,
        })
    }

    /// Returns the fields of an item's record.
    pub fn item_record(&self, item: &Item) -> Value {
        let hashes: Vec<_> = item
            .photo_ids
            .iter()
            .filter_map(|id| self.photos.get(id))
            .collect();
        json!({
            "item_id": item.id,
            "draft_id": item.draft_id,
            "title": item.title,
            "description": item.description,
            "price": item.price.map(decimal),
            "price_minor": item.price,
            "currency": CURRENCY,
            "catalog_id": item.catalog_id,
            "brand_id": item.brand_id,
            "brand": item.brand_title(Locale::En),
            "size_id": item.size_id,
            "status_id": item.condition_id,
            "color_ids": item.color_ids,
            "material_ids": item.material_ids,
            "package_size_id": item.package_size_id,
            "is_unisex": item.is_unisex,
            "isbn": item.isbn,
            "measurement_length": item.measurement_length,
            "measurement_width": item.measurement_width,
            "photo_count": item.photo_ids.len(),
            "photo_ids": item.photo_ids,
            "photo_sha256s": hashes.iter().map(|photo| photo.sha256.as_str()).collect::<Vec<_>>(),
            "is_hidden": item.is_hidden,
        })
    }
}
