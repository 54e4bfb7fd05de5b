"use strict";
// Speeds up what works without it: the theme, the keys, the clipboard.

const root = document.documentElement;
const store = {
  get: (name) => { try { return localStorage.getItem(name); } catch { return null; } },
  set: (name, value) => { try { localStorage.setItem(name, value); } catch { /* private windows may refuse */ } },
};

if (store.get("theme")) root.dataset.theme = store.get("theme");
for (const button of document.querySelectorAll("[data-theme-button]")) {
  button.addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    store.set("theme", root.dataset.theme);
  });
}

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy === "" ? location.href : button.dataset.copy);
    button.dataset.done = "";
    setTimeout(() => delete button.dataset.done, 1200);
  });
}

// What takes a while is asked for after the page; without a script there is a link in its place.
for (const place of document.querySelectorAll("[data-load]")) {
  fetch(place.dataset.load, { headers: { Accept: "text/html" } })
    .then((answer) => answer.ok ? answer.text() : Promise.reject(answer.status))
    .then((text) => {
      place.innerHTML = text;
      for (const part of place.querySelectorAll("[data-into]")) document.getElementById(part.dataset.into)?.replaceChildren(part);
    }, () => { place.dataset.failed = ""; });
}

// Whether the page is told of changes. The stream itself is htmx's.
const ticks = document.getElementById("ticks");
if (ticks) {
  const say = (state, words) => { ticks.dataset.state = state; ticks.textContent = words; };
  ticks.addEventListener("htmx:sse:after:connection", (event) => {
    if (event.detail.connection.status < 300) say("live", "live");
  });
  ticks.addEventListener("busy", () => say("lost", "too many open pages"));
  ticks.addEventListener("htmx:sse:before:connection", (event) => {
    if (event.detail.connection.attempt) say("lost", "connecting");
  });
  // A stream that broke is taken up again by itself; one that never began, because the server was busy, is not.
  setInterval(() => { if (!document.hidden && !ticks._htmx?.sse) ticks.dispatchEvent(new Event("again")); }, 15000);
}

// A stretch of time, drawn across a chart with the pointer, is opened in the mail log. A click stays a click.
let drawn = null; // { svg, band, from, to }: where the pointer went down, in units of the chart
const unitOf = (svg, event) => {
  const box = svg.getBoundingClientRect();
  const left = Number(svg.dataset.left);
  const wide = svg.viewBox.baseVal.width;
  return Math.min(Math.max((event.clientX - box.left) / box.width * wide, left), wide);
};
document.addEventListener("pointerdown", (event) => {
  const svg = event.button === 0 && event.target.closest?.("svg[data-brush]");
  if (svg) drawn = { svg, band: null, from: unitOf(svg, event), to: 0 };
});
document.addEventListener("pointermove", (event) => {
  if (!drawn) return;
  drawn.to = unitOf(drawn.svg, event);
  if (!drawn.band && Math.abs(drawn.to - drawn.from) < 8) return;
  if (!drawn.band) {
    drawn.band = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    drawn.band.setAttribute("class", "band");
    drawn.band.setAttribute("height", drawn.svg.viewBox.baseVal.height - 20);
    drawn.svg.append(drawn.band);
  }
  drawn.band.setAttribute("x", Math.min(drawn.from, drawn.to));
  drawn.band.setAttribute("width", Math.abs(drawn.to - drawn.from));
});
document.addEventListener("dragstart", (event) => { if (drawn) event.preventDefault(); }); // of a bar, which is a link
document.addEventListener("pointercancel", () => { drawn?.band?.remove(); drawn = null; });
document.addEventListener("pointerup", () => {
  const { svg, band, from, to } = drawn ?? {};
  drawn = null;
  if (!band) return;
  band.remove();
  document.addEventListener("click", (event) => { event.preventDefault(); event.stopPropagation(); }, { capture: true, once: true });
  setTimeout(() => document.dispatchEvent(new MouseEvent("click", { cancelable: true })));  // where none comes
  const { left, count, from: since, step, brush } = svg.dataset;
  const bar = (unit) => (unit - left) / (svg.viewBox.baseVal.width - left) * count;
  const moment = (bars) => new Date(Number(since) + bars * step).toISOString().slice(0, 19) + "Z";
  const [first, last] = [Math.min(from, to), Math.max(from, to)].map(bar);
  const terms = `since:${moment(Math.floor(first))} until:${moment(Math.ceil(last) - 0.001)}`;
  location.href = brush + (/q=$/.test(brush) ? "" : "%20") + encodeURIComponent(terms).replaceAll("%3A", ":");
});

const rows = () => [...document.querySelectorAll("tr[data-href], li[data-href]")];
const chosen = (row) => row.matches("li") ? "aria-current" : "aria-selected"; // how it says that it is the chosen one
const move = (step) => {
  const all = rows();
  const at = all.findIndex((row) => row.hasAttribute(chosen(row)));
  const next = all[Math.min(Math.max(at + step, 0), all.length - 1)];
  if (!next) return;
  all.forEach((row) => row.removeAttribute(chosen(row)));
  next.setAttribute(chosen(next), "true");
  next.scrollIntoView({ block: "nearest" });
};

// Where the browser is: pages that are asked for from now on tell their moments so.
document.cookie = `mailvane-zone=${encodeURIComponent(Intl.DateTimeFormat().resolvedOptions().timeZone)}; path=/ui; max-age=31536000; samesite=lax`;

// Moments in UTC, or as the server wrote them; the other one is in the title. What comes later is changed as it comes.
const MOMENT = /^\d\d [A-Z][a-z]{2} (\d\d:\d\d:\d\d)$/;
const inUtc = (moment) => {
  const [, day, month] = moment.toUTCString().split(" ");
  return `${day} ${month} ${moment.toISOString().slice(11, 19)}`;
};
const zone = () => {
  const utc = store.get("zone") === "utc";
  for (const time of document.querySelectorAll("time[datetime]")) {
    const shown = time.textContent;
    if (utc && shown !== time.dataset.utc && MOMENT.test(shown)) {
      time.title = shown;
      time.dataset.local = shown;
      time.textContent = time.dataset.utc = inUtc(new Date(time.dateTime));
    } else if (!utc && time.dataset.local) {
      time.textContent = time.dataset.local;
      time.title = time.dateTime;
      delete time.dataset.local;
      delete time.dataset.utc;
    }
  }
};
for (const button of document.querySelectorAll("[data-zone-button]")) {
  const show = () => { button.setAttribute("aria-pressed", store.get("zone") === "utc"); zone(); };
  button.addEventListener("click", () => { store.set("zone", store.get("zone") === "utc" ? "" : "utc"); show(); });
  show();
  new MutationObserver(zone).observe(document.getElementById("main"), { childList: true, characterData: true, subtree: true });
}

const help = document.getElementById("keyboard");
for (const button of document.querySelectorAll("[data-help-button]")) {
  button.addEventListener("click", () => help.showModal());
}
for (const box of document.querySelectorAll("[data-keys]")) {
  box.checked = store.get("keys") !== "off";
  box.addEventListener("change", () => store.set("keys", box.checked ? "" : "off"));
}

let went = -Infinity; // when g was pressed: a letter within a second and a half names a page
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || store.get("keys") === "off" || help?.open) return;
  if (event.target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]")) return;
  const page = event.timeStamp - went < 1500 && document.querySelector(`[data-go="${CSS.escape(event.key)}"]`);
  went = event.key === "g" && !page ? event.timeStamp : -Infinity;
  if (page) { page.click(); return; }
  const selected = rows().find((row) => row.hasAttribute(chosen(row)));
  const box = selected?.querySelector('input[type="checkbox"]');
  if (box && event.key === "x") box.checked = !box.checked;
  if (box && "ad".includes(event.key) && !document.querySelector("tr input:checked")) box.checked = true;
  const ticked = document.querySelector("tr input:checked") && document.querySelector(`[data-chosen-key="${CSS.escape(event.key)}"]`);
  if (event.key === "f") document.querySelector("[data-facets] a")?.focus();
  const key = `[data-key="${CSS.escape(event.key)}"]`; // of the row that is chosen, else of the page
  const named = ticked || selected?.querySelector(key) || document.querySelector(`${key}:not([data-href] *)`);
  if (event.key === "j" || event.key === "k") move(event.key === "j" ? 1 : -1);
  else if (event.key === "Enter" && selected && !event.target.closest("a, button, summary")) location.href = selected.dataset.href;
  else if (named) {
    event.preventDefault();
    if (named.matches("input")) named.focus();
    else named.click();
  }
});
