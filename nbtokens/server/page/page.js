// The page of what a team spends. It asks `overview` every few seconds; unchanged answers cost a 304.
import { colourOf, showDays } from "./chart.js";
import { brief, count, find, longDay, make, MEASURES, usd } from "./parts.js";

const EVERY_MS = 3000;
const PATIENCE_MS = 120000;
const MOST_ROWS = 6;
const open = new Set();  // the lists that are shown to their ends
let shown = null;  // the answer that is on the page, for how many days, and its ETag
let measure = null;  // what was chosen
let seen = new Set();  // the calls that are on the page

const chosen = (name) => document.querySelector(`input[name=${name}]:checked`).value;

function tile(value, what, more, exact) {
  const figure = make("b", "", value);
  if (exact) figure.title = exact;
  return make("div", "tile", undefined, make("span", "what", what), figure, make("span", "more", more ?? ""));
}

/** How this compares with as many days before. */
function change(now, before, days) {
  if (!before || now === null) return "";
  const percent = Math.round(100 * (now - before) / before);
  const than = days === 1 ? "the day before" : `the ${days} days before`;
  if (percent > 999) return `${usd(before)} in ${than}`;
  const sign = percent > 0 ? "▲" : percent < 0 ? "▼" : "=";
  return `${sign} ${Math.abs(percent)} % against ${than} (${usd(before)})`;
}

function showTotals({ totals, totals_before: before, first_day: first, last_day: last }) {
  const days = Math.round((Date.parse(last) - Date.parse(first)) / 86400000) + 1;
  const failed = `${count(totals.failed_calls)} failed (${(100 * totals.failed_calls / totals.total_operations).toFixed(1)} %)`;
  const tiles = [
    tile(usd(totals.total_cost_usd), "Cost", change(totals.total_cost_usd, before.total_cost_usd, days)),
    tile(brief(totals.total_operations), "Calls", totals.failed_calls ? failed : "none failed"),
    tile(brief(totals.total_input_tokens), "Input tokens", "", count(totals.total_input_tokens)),
    tile(brief(totals.total_output_tokens), "Output tokens", "", count(totals.total_output_tokens)),
  ];
  if (totals.unpriced_calls) tiles.push(tile(brief(totals.unpriced_calls), "Unpriced calls", "in no sum of money"));
  find("totals").replaceChildren(...tiles);
  find("range").textContent = first === last ? longDay(first) : `${longDay(first)} to ${longDay(last)}`;
}

function bar(share, state = "", colour = "") {
  const fill = make("i");
  fill.style.width = Math.min(100, 100 * share).toFixed(2) + "%";
  if (colour) fill.style.background = colour;
  return make("div", `track ${state}`.trim(), undefined, fill);
}

function row(name, value, share, more, state, colour, brieflyNamed = name) {
  const label = make("span", "name", brieflyNamed);
  label.title = name;
  return make("div", "row", undefined, label, make("span", "value", value), bar(share, state, colour), make("span", "more", more));
}

function showGroups(id, groups, none, by, colour = () => "") {
  const { of, write } = MEASURES[by];
  const amount = (one) => of(one) ?? 0;
  const ordered = by === "cost" ? groups : [...groups].sort((a, b) => amount(b) - amount(a));
  const most = Math.max(...groups.map(amount), 0);
  const items = ordered.slice(0, open.has(id) ? undefined : MOST_ROWS).map((one) => {
    const parts = [`${count(one.operation_count)} ${one.operation_count === 1 ? "call" : "calls"}`, `${brief(one.total_tokens)} tokens`];
    if (by !== "cost") parts.push(usd(one.total_cost_usd));
    if (one.failed_calls) parts.push(`${count(one.failed_calls)} failed`);
    if (one.unpriced_calls && one.total_cost_usd !== null) parts.push(`${count(one.unpriced_calls)} unpriced`);
    const name = one.name ?? none;
    const briefly = id === "cells" ? name.split("/").pop() : name;  // the folders would leave no room for the cell
    const item = row(name, write(of(one)), most ? amount(one) / most : 0, parts.join(" · "), "", colour(one.name), briefly);
    if (one.name === null) item.classList.add("none");
    return item;
  });
  const list = make("div", open.has(id) ? "rows all" : "rows", undefined, ...items);
  if (open.has(id)) {  // it scrolls
    list.tabIndex = 0;
    list.setAttribute("role", "region");
    list.setAttribute("aria-label", "All of them");
  }
  const scrolled = find(id).querySelector(".all")?.scrollTop ?? 0;
  find(id).replaceChildren(list);
  list.scrollTop = scrolled;
  if (!items.length) list.append(make("p", "none", "None in these days."));
  if (groups.length <= MOST_ROWS) return;
  const button = make("button", "", open.has(id) ? "Show fewer" : `Show ${groups.length - MOST_ROWS} more`);
  button.setAttribute("aria-expanded", open.has(id));
  button.addEventListener("click", () => {
    if (!open.delete(id)) open.add(id);
    show();
    find(id).querySelector("button").focus();
  });
  find(id).append(button);
}

/** Money or tokens of a limit: what is spent, how much there is, and the share. Nothing is over a limit of nothing. */
function showBudgets(budgets) {
  const rows = budgets.flatMap((one) => [[usd, one.spent_usd, one.limit_usd], [count, one.spent_tokens, one.limit_tokens]]
    .filter(([, , limit]) => limit !== null)
    .map(([write, spent, limit]) => {
      const share = limit ? (spent ?? 0) / limit : 1;
      const state = share >= 1 ? "over" : share >= one.warn_at ? "near" : "";
      const percent = `${count(Math.floor(100 * share))} % of ${write(limit)}${write === count ? " tokens" : ""} per ${one.period}`;
      const more = state === "over" ? `${percent}, used up` : state === "near" ? `${percent}, nearly used up` : percent;
      return row(one.name, write(spent), share, more, state);
    }));
  find("budgets").hidden = !rows.length;
  find("budgets").querySelector(".rows").replaceChildren(...rows);
}

function cells(kind, texts, className = "") {
  return texts.map((text) => {
    const cell = make(kind, className, text);
    if (!className) cell.title = text;
    return cell;
  });
}

function showTable(days) {
  find("days-table").tBodies[0].replaceChildren(...[...days].reverse().map((day) => {
    const name = make("th", "", day.usage_date);
    name.scope = "row";
    const figures = [day.operation_count, day.failed_calls, day.unpriced_calls, day.total_input_tokens, day.total_output_tokens];
    return make("tr", "", undefined, name, ...cells("td", [...figures.map(count), usd(day.total_cost_usd)], "n"));
  }));
}

function showLatest(calls) {
  const today = new Date().toDateString();
  const known = new Set(calls.map((call) => call.id));
  find("latest").tBodies[0].replaceChildren(...calls.map((call) => {
    const at = new Date(call.started_at);
    const time = at.toLocaleTimeString("en-GB");
    const day = at.toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
    const line = make("tr", seen.size && !seen.has(call.id) ? "new" : "");
    const texts = [at.toDateString() === today ? time : `${day} ${time}`, call.user ?? "", call.notebook ?? "", call.operation ?? call.call_type ?? "", call.model ?? ""];
    const failed = call.status === "error";
    const cost = failed && call.cost_usd === null ? "" : usd(call.cost_usd);
    const seconds = call.duration_s === null ? "" : call.duration_s.toFixed(1);
    line.append(...cells("td", texts), ...cells("td", [count(call.input_tokens), count(call.output_tokens), seconds, cost], "n"));
    if (failed) line.children[3].append(make("span", "failed", "failed"));
    return line;
  }));
  find("live").hidden = !calls.length;
  seen = known;
}

/** Show what is known. Where nothing has a price, money says nothing, and tokens are shown. */
function show() {
  const { overview } = shown;
  const by = measure ?? (overview.totals.total_cost_usd ? "cost" : "tokens");
  document.querySelector(`input[name=measure][value=${by}]`).checked = true;
  const anything = overview.totals.total_operations > 0;
  document.querySelector("main").hidden = document.querySelector("footer").hidden = false;
  find("empty").hidden = anything;
  for (const part of document.querySelectorAll(".with-calls")) part.hidden = !anything;
  showTotals(overview);
  showBudgets(overview.budgets);
  if (anything) {
    showDays(overview, by);
    showTable(overview.daily_usage);
    showGroups("models", overview.models, "(no model)", by, colourOf);
    showGroups("operations", overview.operations, "(no operation)", by);
    showGroups("users", overview.users, "(no user)", by);
    showGroups("notebooks", overview.notebooks, "(no notebook)", by);
    showGroups("cells", overview.cells, "(no cell)", by);
  }
  showLatest(overview.latest);
}

/** A word beside the title, and a sentence below it where something is wrong. Said once, not every few seconds. */
function say(state, word, sentence = "") {
  find("state").className = state;
  if (find("state").textContent !== word) find("state").textContent = word;
  if (find("notice").textContent !== sentence) find("notice").textContent = sentence;
  find("notice").hidden = !sentence;
}

function complain(status, message) {
  const since = shown ? ` The figures are of ${shown.at.toLocaleTimeString("en-GB")}.` : "";
  if (status === 401) {
    say("bad", "no access", `The server does not know you, or no longer. Open the URL that nbtokens serve has printed; each start prints another one. In JupyterLab, log in again and reload this page.${since}`);
  } else if (status) {
    say("bad", "not up to date", `${message}${since}`);
  } else {
    say("bad", "no answer", `The server does not answer. This page goes on asking.${since}`);
  }
}

async function refresh() {
  const days = chosen("days");
  const headers = shown?.days === days ? { "If-None-Match": shown.etag } : {};
  let answer, overview;
  try {
    answer = await fetch(`overview?days=${days}&no_track_activity=1`, { headers, cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    if (answer.status !== 304) overview = await answer.json();
  } catch {
    return complain(0);
  }
  if (days !== chosen("days")) return;  // another answer is on its way
  if (answer.status !== 304 && !answer.ok) return complain(answer.status, overview.message);
  if (overview) {
    shown = { days, etag: answer.headers.get("ETag"), overview };
    show();
  }
  shown.at = new Date();
  say("", "live");
}

function remember() {
  history.replaceState(null, "", `#days=${chosen("days")}${measure ? `&by=${measure}` : ""}`);
}

const wanted = new URLSearchParams(location.hash.slice(1));
for (const input of document.querySelectorAll("input")) {
  if (input.value === wanted.get("days") || input.value === wanted.get("by")) input.checked = true;
}
measure = wanted.get("by") in MEASURES ? wanted.get("by") : null;

find("days").addEventListener("change", () => {
  remember();
  say("busy", "loading");
  refresh();
});
find("measure").addEventListener("change", () => {
  measure = chosen("measure");
  remember();
  show();
});
addEventListener("resize", () => shown && show());
document.addEventListener("visibilitychange", () => document.hidden || refresh());

async function goOn() {
  if (!document.hidden) await refresh();
  setTimeout(goOn, EVERY_MS);
}
goOn();
