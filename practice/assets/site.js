// What every page needs: its data, the JSON calls, and the small behaviours of pages other than the form.
"use strict";

const page = JSON.parse(document.getElementById("page-state").textContent);
const flight = JSON.parse(self.__next_f[0][1]);

const practice = {
  texts: page.texts,
  data: page.data,

  cookie(name) {
    const pair = document.cookie.split("; ").find((one) => one.startsWith(`${name}=`));
    return pair ? pair.slice(name.length + 1) : "";
  },

  headers(more) {
    return {
      Accept: "application/json, text/plain, */*,image/webp",
      "X-CSRF-Token": flight.CSRF_TOKEN,
      "X-Anon-Id": practice.cookie("anon_id"),
      locale: flight.locale,
      ...more,
    };
  },

  refresh() {
    return fetch("/web/api/auth/refresh", { method: "POST", headers: practice.headers() });
  },

  // One JSON call. A lost session is refreshed once and the call repeated once; a bot check is shown.
  async call(method, path, body, more) {
    const send = () => {
      const isForm = body instanceof FormData;
      const headers = practice.headers({ ...(body && !isForm ? { "Content-Type": "application/json" } : {}), ...more });
      return fetch(path, { method, headers, body: body && !isForm ? JSON.stringify(body) : body });
    };
    let response = await send();
    if (response.status === 401 && (await practice.refresh()).ok) response = await send();
    if (response.status === 401) {
      location.href = `/member/signup/select_type?ref_url=${encodeURIComponent(location.pathname)}`;
    }
    const isJson = (response.headers.get("content-type") || "").startsWith("application/json");
    const json = isJson ? await response.json() : null;
    if (!json || (response.status === 403 && json.url)) practice.challenge();
    if (!json || !response.ok) throw Object.assign(new Error(`status ${response.status}`), { answer: json || {} });
    return json;
  },

  challenge() {
    const box = document.createElement("div");
    box.id = "datadome-captcha";
    const frame = document.createElement("iframe");
    frame.title = "DataDome CAPTCHA";
    frame.src = "/challenge/captcha-delivery.com/captcha/?initialCid=practice";
    box.append(frame);
    document.body.append(box);
  },
};

const byTestId = (id) => document.querySelector(`[data-testid="${id}"]`);

async function resumeSession() {
  const response = await practice.refresh();
  const back = new URLSearchParams(location.search).get("ref_url") || "/";
  if (response.ok && back.startsWith("/") && !back.startsWith("//")) location.href = back;
}

function ownItem({ id, isHidden, memberId }) {
  const modal = byTestId("item-delete-modal");
  if (!modal) return;
  byTestId("item-delete-button").addEventListener("click", () => (modal.hidden = false));
  byTestId("item-delete-cancelation-button").addEventListener("click", () => (modal.hidden = true));
  byTestId("item-delete-confirmation-button").addEventListener("click", async () => {
    await practice.call("POST", `/api/v2/items/${id}/delete`);
    location.href = `/member/${memberId}`;
  });
  byTestId("item-hide-button").addEventListener("click", async () => {
    await practice.call("PUT", `/api/v2/items/${id}/is_hidden`, { is_hidden: !isHidden });
    location.reload();
  });
}

if (practice.data && practice.data.page === "session-refresh") resumeSession();
if (practice.data && practice.data.page === "item") ownItem(practice.data);
