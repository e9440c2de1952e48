// The page: selection, requests and display.

import { Trouble, download, read, useToken } from "./api.js";
import { chart } from "./chart.js";
import { byId, make, offer } from "./dom.js";
import { isShown, writer } from "./figures.js";
import { comeBack, goThere, signInThere } from "./issuer.js";
import { languages, nearestLanguage } from "./texts.js";

const FHIR = "application/fhir+json";
const FORMS = [
  ["csv", "text/csv", "csv"],
  ["r4b", `${FHIR}; fhirVersion=4.3`, "r4b.json"],
  ["r5", `${FHIR}; fhirVersion=5.0`, "r5.json"],
];
const SETTLE_MILLISECONDS = 100;

// The selection is in the URL, so that it can be bookmarked and shared. The key never is.
const KEPT = ["lang", "period_kind", "table", "key", "stat", "starts_on"];
const choice = {};
const chooseFrom = (search) => {
  for (const [name, value] of new URLSearchParams(search)) if (KEPT.includes(name)) choice[name] = value;
};
chooseFrom(location.search);
let texts = languages.en;
let write = writer(texts);
let signedIn = null;
let index = null;
let series = null;
// A response that arrives after the selection has changed is not shown.
let turn = 0;

// Announces a message to screen readers, and shows it unless it is visible elsewhere.
function say(text, { seen = true } = {}) {
  byId("busy").className = seen ? "quiet" : "hidden";
  byId("busy").textContent = text;
}

// Texts

function speak(language) {
  choice.lang = language;
  texts = languages[language];
  write = writer(texts);
  document.documentElement.lang = language;
  document.title = `Footing: ${texts.title}`;
  byId("language").value = language;
  for (const element of document.querySelectorAll("[data-text]")) {
    element.textContent = texts[element.dataset.text];
  }
  for (const [id, list] of [["counted", texts.countedList], ["noise", texts.noiseList], ["reading", texts.readingList]]) {
    byId(id).replaceChildren(...list.map((text) => make("li", {}, text)));
  }
  byId("statuses").replaceChildren(
    ...Object.entries(texts.statuses).map(([name, text]) => {
      const shown = name in texts.short;
      const label = make("span", { class: `status status-${shown ? name : "hidden"}` }, texts[shown ? "short" : "hidden"][name]);
      return pair([label], text);
    }),
  );
}

const pair = (name, value) => make("div", {}, make("dt", {}, ...name), make("dd", {}, value));

function keepInAddress() {
  const kept = new URLSearchParams(Object.entries(choice).filter(([, value]) => value));
  history.replaceState(null, "", `?${kept}${location.hash}`);
}

// Errors

function explain(error) {
  if (!(error instanceof Trouble)) throw error;
  const known = error.code in texts.troubles;
  const parts = [texts.troubles[known ? error.code : "unknown"]];
  if (error.retryAfter) parts.push(texts.inSeconds(error.retryAfter));
  if (error.detail && error.code !== "unavailable") parts.push(texts.serverSays(error.detail));
  if (!known && error.requestId) parts.push(texts.requestId(error.requestId));
  byId("trouble-text").textContent = parts.join(" ");
  byId("trouble").hidden = false;
  say("");
}

function calm() {
  byId("trouble").hidden = true;
  byId("trouble-text").textContent = "";
}

// Runs a step that sends requests; signs out if the key is no longer valid.
async function attempt(step) {
  turn += 1;
  const mine = turn;
  const current = () => mine === turn;
  calm();
  say(texts.loading);
  try {
    await step(current);
  } catch (error) {
    if (!current()) return;
    const refused = [401, 403].includes(error.status);
    if (refused) leave();
    explain(error);
    byId("again").hidden = refused;
    byId("again").onclick = () => attempt(step);
  }
}

// Signing in and out

async function enter(current) {
  const [who, found] = [await read("clinician"), await read("aggregates")];
  if (!current()) return;
  signedIn = who;
  index = found;
  byId("token").value = "";
  byId("entrance").hidden = true;
  byId("figures").hidden = false;
  byId("who").hidden = false;
  byId("who-name").textContent = texts.signedInAs(who.name, write.day(who.expires_at));
  showPromise();
  offerChoices();
  await showFigures(current);
}

function leave() {
  turn += 1;
  useToken("");
  signedIn = index = series = null;
  byId("token").value = "";
  byId("entrance").hidden = false;
  for (const id of ["figures", "who", "promise"]) byId(id).hidden = true;
  // No figures stay on the page.
  const filled = "#figures :is(select, tbody, thead, .downloads, .chart, .newest, h2:not([data-text])), #who-name, #promise-text, #promise-figures";
  for (const element of document.querySelectorAll(filled)) element.replaceChildren();
}

function showPromise() {
  const { guarantee } = index;
  const said = {
    best_guess_percent: texts.inHundred(guarantee.best_guess_percent),
    year_epsilon: guarantee.year_epsilon.toFixed(2),
    year_ceiling_rho: String(guarantee.year_ceiling_rho),
    delta: String(guarantee.delta),
    plan_hash: guarantee.plan_hash,
  };
  byId("promise-text").textContent = guarantee.text;
  byId("promise-figures").replaceChildren(...Object.entries(said).map(([name, value]) => pair([texts.promiseFigures[name]], value)));
  byId("promise").hidden = false;
}

// Selection

const entry = () => index.tables.find((each) => each.table === choice.table && each.period_kind === choice.period_kind);
const statTitle = (stat) => index.stats.find((each) => each.stat === stat)?.title ?? stat;

function offerChoices() {
  const kinds = [...new Set(index.tables.map((each) => each.period_kind))];
  choice.period_kind = offer(byId("period-kind"), kinds.map((kind) => [kind, texts.periodKinds[kind] ?? kind]), choice.period_kind);
  const tables = index.tables.filter((each) => each.period_kind === choice.period_kind && each.stats.length);
  choice.table = offer(byId("table"), tables.map((each) => [each.table, each.title]), choice.table);
  const { keys, stats } = entry();
  choice.key = offer(byId("key"), keys.map(({ key, title }) => [key, title]), choice.key);
  choice.stat = offer(byId("stat"), stats.map((stat) => [stat, statTitle(stat)]), choice.stat);
  const released = index.periods.filter((each) => each.period_kind === choice.period_kind && each.status === "released");
  choice.starts_on = offer(byId("period"), released.map((each) => [each.starts_on, write.period(each)]), choice.starts_on);
  keepInAddress();
}

async function showFigures(current) {
  const published = Boolean(choice.starts_on);
  for (const card of document.querySelectorAll("#figures > section")) card.hidden = !published;
  if (!published) {
    say(texts.nothing);
    return;
  }
  const [found, table] = await Promise.all([read("aggregates/series", seriesQuery()), read(tablePath(), tableQuery())]);
  if (!current()) return;
  series = found;
  showSeries();
  showPeriod(table);
  say(texts.shown(byId("series-title").textContent, byId("newest").textContent), { seen: false });
}

const seriesQuery = () => ({ table: choice.table, key: choice.key, stat: choice.stat, period_kind: choice.period_kind });
const tablePath = () => `aggregates/tables/${encodeURIComponent(choice.table)}`;
const tableQuery = () => ({ period_kind: choice.period_kind, starts_on: choice.starts_on });

// Figures

const statusOf = (figure) => make("span", { class: `status status-${isShown(figure) ? figure.status : "hidden"}` }, write.status(figure));

function showSeries() {
  const { points, unit } = series;
  const title = `${series.stat_title}: ${series.key_title}`;
  byId("series-title").textContent = title;
  const newest = points.at(-1);
  byId("newest").textContent = newest ? texts.newest(write.period(newest), write.about(newest, unit)) : "";
  drawChart();
  const { columns } = texts;
  headOf("series-table", Object.values(columns));
  const rows = points.toReversed().map((point) => {
    const number = (name) => (isShown(point) && point[name] !== null ? write.number(point[name], unit) : "–");
    return make(
      "tr",
      { "data-starts-on": point.starts_on },
      make("th", { scope: "row" }, write.period(point)),
      make("td", { "data-column": "estimate" }, number("estimate")),
      make("td", {}, isShown(point) ? write.interval(point, unit) : "–"),
      make("td", {}, number("standard_error")),
      make("td", {}, number("privacy_error")),
      make("td", {}, statusOf(point)),
    );
  });
  byId("series-table").tBodies[0].replaceChildren(...rows);
  offerDownloads("series-downloads", title, "aggregates/series", seriesQuery());
}

function drawChart() {
  const place = byId("chart");
  if (!series || !place.clientWidth) return;
  const title = texts.chart(byId("series-title").textContent, texts.units[series.unit]);
  place.replaceChildren(chart(series.points, series.unit, { title, write, width: place.clientWidth }));
}

function headOf(table, titles) {
  byId(table).tHead.replaceChildren(make("tr", {}, ...titles.map((title) => make("th", { scope: "col" }, title))));
}

function showPeriod(table) {
  const { keys, stats } = entry();
  const title = texts.allGroups(table.title);
  byId("period-title").textContent = title;
  headOf("period-table", [texts.groupColumn, ...stats.map(statTitle)]);
  const cells = new Map(table.cells.map((cell) => [`${cell.key} ${cell.stat}`, cell]));
  const rows = keys.map(({ key, title: keyTitle }) =>
    make(
      "tr",
      { "data-key": key },
      make("th", { scope: "row" }, keyTitle),
      ...stats.map((stat) => make("td", { "data-stat": stat }, ...cellOf(cells.get(`${key} ${stat}`)))),
    ),
  );
  byId("period-table").tBodies[0].replaceChildren(...rows);
  offerDownloads("period-downloads", `${title}, ${write.period(table.period)}`, tablePath(), tableQuery());
}

function cellOf(cell) {
  if (!cell) return ["–"];
  if (!isShown(cell)) return [statusOf(cell)];
  const said = [make("strong", {}, write.number(cell.estimate, cell.unit)), " ", make("span", { class: "interval" }, `(${write.interval(cell, cell.unit)})`)];
  return cell.status === "unstable" ? [...said, " ", statusOf(cell)] : said;
}

function offerDownloads(id, title, path, query) {
  const name = ["footing", ...path.split("/").slice(-1), ...Object.values(query)].join("-").replaceAll(/[^\w.-]+/g, "_");
  byId(id).replaceChildren(
    ...FORMS.map(([form, accept, ending]) => {
      const label = texts.downloads[form];
      const button = make("button", { type: "button", class: "plain", "aria-label": texts.downloadOf(label, title) }, label);
      button.addEventListener("click", () =>
        attempt(async () => {
          await download(path, query, accept, `${name}.${ending}`);
          say("");
        }),
      );
      return button;
    }),
  );
}

// Events

byId("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  useToken(byId("token").value.trim());
  await attempt(enter);
  (signedIn ? byId("period-kind") : byId("token")).focus();
});
byId("sign-out").addEventListener("click", () => {
  leave();
  calm();
  say(texts.signedOut);
  byId("token").focus();
});
byId("choice").addEventListener("submit", (event) => event.preventDefault());
for (const [id, name] of [["period-kind", "period_kind"], ["table", "table"], ["key", "key"], ["stat", "stat"], ["period", "starts_on"]]) {
  byId(id).addEventListener("change", (event) => {
    choice[name] = event.target.value;
    offerChoices();
    attempt(showFigures);
  });
}
byId("language").addEventListener("change", (event) => {
  speak(event.target.value);
  keepInAddress();
  calm();
  say("");
  // Titles come from the API, in the requested language.
  if (signedIn) attempt(enter);
});
// A page in the browser's back/forward cache must not keep the key.
addEventListener("pagehide", leave);
let settling = 0;
new ResizeObserver(() => {
  clearTimeout(settling);
  settling = setTimeout(drawChart, SETTLE_MILLISECONDS);
}).observe(byId("chart"));

// Start: the issuer redirects users here with a code in the URL.
const back = comeBack();
if (back) chooseFrom(back.search);
speak(nearestLanguage([choice.lang, ...navigator.languages]));
if (back) keepInAddress();
await attempt(async (current) => {
  const way = await signInThere();
  byId("issuer").hidden = !way;
  byId("issuer-button").onclick = () => attempt(() => goThere(way, location.search));
  say("");
  if (!way || !back) return;
  useToken(await back.token(way));
  await enter(current);
  byId("period-kind").focus();
});
