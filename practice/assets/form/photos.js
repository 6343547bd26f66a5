// Photos. They are sent one after the other, and each appears after its upload has finished.

import { data, generation, loader, make, texts, touched, warn } from "./dom.js";

// How long the form settles after it has been opened, and the longest pause between two new photo inputs in that time.
const SETTLING_MS = 8000;
const PAUSE_MS = 700;

export function photoField(chosen, whenUploaded) {
  const dropzone = practice.ref("dropzone");
  const grid = practice.ref("photo-grid");
  const area = generation.photos || "dropzone";
  const busy = loader(area);
  let input = null;
  let waiting = 0;
  let uploads = Promise.resolve();

  // Replaces a used input by a new one. Otherwise the same file could not be chosen twice.
  function renew() {
    const fresh = make("input", {
      type: "file", name: "photos", "data-testid": "add-photos-input", multiple: true, hidden: true,
      accept: "image/jpeg,image/gif,image/png,image/webp",
    });
    fresh.addEventListener("change", () => {
      for (const file of fresh.files) {
        waiting += 1;
        uploads = uploads.then(() => upload(file));
      }
      grid.after(busy);
      renew();
      touched("photos");
    });
    if (input) input.remove();
    input = fresh;
    dropzone.append(input);
  }

  async function upload(file) {
    const form = new FormData();
    form.append("photo[type]", "item");
    form.append("photo[temp_uuid]", data.uploadSessionId);
    form.append("photo[file]", file);
    try {
      chosen.photos.push(await practice.call("POST", "/api/v2/photos", form));
    } catch (error) {
      warn("photos", texts.something_wrong);
    }
    waiting -= 1;
    draw();
    if (waiting) return;
    busy.remove();
    whenUploaded();
  }

  function move(from, to) {
    if (to < 0 || to >= chosen.photos.length || from === to) return;
    chosen.photos.splice(to, 0, ...chosen.photos.splice(from, 1));
    draw();
  }

  let dragged = null;
  function draw() {
    grid.replaceChildren(...chosen.photos.map((photo, n) => {
      const button = (name, sign, label, onclick) => make("button", {
        type: "button", "data-testid": `media-select-grid-${name}-button-${n}`, "aria-label": label, onclick,
      }, sign);
      const remove = () => {
        chosen.photos.splice(n, 1);
        draw();
      };
      const turn = () => (photo.orientation = ((photo.orientation || 0) + 90) % 360);
      const image = generation.images
        ? make("img", { src: photo.url, alt: "", draggable: "false" })
        : null;
      return make("div", {
        class: "photo", "data-testid": `image-wrapper-${n}`,
        style: generation.images ? null : `background-image:url("${photo.url}")`,
        onpointerdown: () => (dragged = n),
        onpointerup: () => {
          if (dragged !== null) move(dragged, n);
          dragged = null;
        },
      },
      image,
      n === 0 ? make("span", { "data-testid": "media-select-main-badge-0" }, "★") : null,
      make("div", { class: "tools" },
        button("move-left", "‹", texts.move_left, () => move(n, n - 1)),
        button("move-right", "›", texts.move_right, () => move(n, n + 1)),
        button("rotate", "⟳", texts.rotate, turn),
        button("delete", "✕", texts.delete, remove)));
    }));
  }

  renew();
  practice.ref("add-photos").addEventListener("click", () => input.click());
  draw();
  if (data.pages.recreate_photo_input) {
    const end = performance.now() + SETTLING_MS;
    const again = () => {
      renew();
      if (performance.now() < end) setTimeout(again, Math.random() * PAUSE_MS);
    };
    setTimeout(again, Math.random() * PAUSE_MS);
  }
}
