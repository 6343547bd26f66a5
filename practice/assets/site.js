// The code of every page: its data, the JSON calls, and the behaviour of pages other than the form.
"use strict";

const page = JSON.parse(document.querySelector('[data-ref="page-state"]').textContent);
const flight = JSON.parse(self.__next_f[0][1]);

const practice = {
  texts: page.texts,
  data: page.data,

  // Returns a node of the page by a name that only this script uses. A rehearsal of a rebuilt site may change ids, test
  // ids, classes and names.
  ref(name) {
    return document.querySelector(`[data-ref="${name}"]`);
  },

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

  // Refreshes the session, once at a time: a second use of the refresh token would end the session.
  refresh() {
    practice.refreshing ||= fetch("/web/api/auth/refresh", { method: "POST", headers: practice.headers() })
      .finally(() => (practice.refreshing = null));
    return practice.refreshing;
  },

  // Makes a JSON call. After a 401 the session is refreshed and the call repeated, both once. A bot check is shown.
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

  // Shows the captcha over the page, once. The address is the real captcha's, but the page's content security policy
  // stops the request.
  challenge() {
    if (practice.challenged) return;
    practice.challenged = true;
    const box = document.createElement("div");
    box.id = "datadome-captcha";
    box.className = "overlay";
    const frame = document.createElement("iframe");
    frame.title = "DataDome CAPTCHA";
    frame.src = "https://geo.captcha-delivery.com/captcha/?initialCid=practice";
    box.append(frame);
    document.body.append(box);
  },
};

const onClick = (name, act) => {
  const node = practice.ref(name);
  if (node) node.addEventListener("click", act);
};

// Refreshes the session and loads the previous page. With a dead refresh token, or if a rehearsal asks for it, this page
// stays.
async function resumeSession() {
  const query = new URLSearchParams(location.search);
  if (query.has("stuck")) return;
  const response = await practice.refresh();
  const back = query.get("ref_url") || "/";
  if (response.ok && back.startsWith("/") && !back.startsWith("//")) location.replace(back);
}

function logIn() {
  practice.ref("log-in").addEventListener("submit", async (event) => {
    event.preventDefault();
    const warning = practice.ref("log-in-warning");
    warning.hidden = true;
    const response = await fetch("/web/api/auth/oauth", {
      method: "POST",
      headers: practice.headers({ "Content-Type": "application/json" }),
      body: JSON.stringify({
        client_id: "web", scope: "user", grant_type: "password",
        username: practice.ref("username").value, password: practice.ref("password").value,
      }),
    });
    if (!response.ok) return (warning.hidden = false);
    const back = new URLSearchParams(location.search).get("ref_url") || "/";
    location.href = back.startsWith("/") && !back.startsWith("//") ? back : "/";
  });
}

function ownItem({ id, isHidden, memberId }) {
  const modal = practice.ref("delete-modal");
  if (!modal) return;
  onClick("delete", () => (modal.hidden = false));
  onClick("delete-cancel", () => (modal.hidden = true));
  const trusted = (event) => ({ "X-Practice-Trusted": String(event.isTrusted) });
  onClick("delete-confirm", async (event) => {
    await practice.call("POST", `/api/v2/items/${id}/delete`, undefined, trusted(event));
    location.href = `/member/${memberId}`;
  });
  onClick("hide", async (event) => {
    await practice.call("PUT", `/api/v2/items/${id}/is_hidden`, { is_hidden: !isHidden }, trusted(event));
    location.reload();
  });
}

onClick("log-out", async () => {
  await practice.call("POST", "/web/api/auth/logout");
  location.href = "/";
});

// Closes the banner or the dialog over the page and stores the answer in cookies, as on the real site.
function answered(overlay, cookies) {
  for (const [name, value] of Object.entries(cookies)) document.cookie = `${name}=${value}; path=/; max-age=31536000; samesite=lax`;
  practice.ref(overlay).remove();
}
for (const answer of ["accept", "reject"]) {
  onClick(`consent-${answer}`, () => {
    const groups = answer === "accept" ? "C0001%3A1%2CC0002%3A1" : "C0001%3A1%2CC0002%3A0";
    answered("consent", { OptanonAlertBoxClosed: new Date().toISOString(), OptanonConsent: `groups=${groups}` });
  });
}
onClick("country-close", () => answered("country", { domain_selected: "true" }));

const behaviours = { "session-refresh": resumeSession, "log-in": logIn, item: () => ownItem(practice.data) };
if (practice.data && behaviours[practice.data.page]) behaviours[practice.data.page]();
