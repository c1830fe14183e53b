// The page of what a team spends. It asks `overview` every few seconds; unchanged answers cost a 304.
"use strict";

const EVERY_MS = 3000;
const MOST_ROWS = 8;
const DAY_MS = 86400000;
const find = (id) => document.getElementById(id);

/** An element with a class, a text, and children. Text only: names come from anybody's notebooks. */
function make(tag, className, text, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  element.append(...children);
  return element;
}

function draw(tag, attributes, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

const count = (number) => (number === null ? "" : number.toLocaleString("en-US"));

/** Money as everywhere in nbtokens; null is a price that is not known, never $0. */
function usd(amount) {
  if (amount === null) return "unpriced";
  if (!amount) return "$0.00";
  if (amount >= 9.99995) return "$" + amount.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  if (amount >= 0.001) return "$" + amount.toFixed(4);
  return "$" + amount.toFixed(Math.min(20, 1 - Math.floor(Math.log10(amount))));
}

function tile(value, what) {
  return make("div", "tile", undefined, make("b", "", value), make("span", "", what));
}

function showTotals(totals) {
  const tiles = [
    tile(usd(totals.total_cost_usd), "cost"),
    tile(count(totals.total_operations), "calls"),
    tile(count(totals.total_input_tokens), "input tokens"),
    tile(count(totals.total_output_tokens), "output tokens"),
    tile(count(totals.failed_calls), "failed calls"),
  ];
  if (totals.unpriced_calls) tiles.push(tile(count(totals.unpriced_calls), "unpriced calls, in no cost"));
  find("totals").replaceChildren(...tiles);
}

function bar(share, state = "") {
  const fill = make("i");
  fill.style.width = Math.min(100, 100 * share).toFixed(2) + "%";
  return make("div", `track ${state}`.trim(), undefined, fill);
}

function showGroups(id, groups, none) {
  const most = Math.max(...groups.map((one) => one.total_cost_usd ?? 0), 0);
  const rows = groups.slice(0, MOST_ROWS).map((one) => {
    const name = make("span", one.name === null ? "name none" : "name", one.name ?? none);
    name.title = name.textContent;
    const unpriced = one.unpriced_calls ? `, ${count(one.unpriced_calls)} unpriced` : "";
    const more = `${count(one.operation_count)} calls, ${count(one.total_tokens)} tokens${unpriced}`;
    return make("div", "row", undefined, name, make("span", "cost", usd(one.total_cost_usd)),
      bar(most ? (one.total_cost_usd ?? 0) / most : 0), make("span", "more", more));
  });
  if (!rows.length) rows.push(make("div", "none", "No calls in this period."));
  if (groups.length > MOST_ROWS) rows.push(make("div", "none", `and ${groups.length - MOST_ROWS} more`));
  find(id).replaceChildren(...rows);
}

/** Money or tokens of a limit: what is spent, how much there is, and the share. Nothing is over a limit of nothing. */
function showBudgets(budgets) {
  const rows = budgets.flatMap((one) => [[usd, one.spent_usd, one.limit_usd], [count, one.spent_tokens, one.limit_tokens]]
    .filter(([, , limit]) => limit !== null)
    .map(([write, spent, limit]) => {
      const share = limit ? (spent ?? 0) / limit : 1;
      const state = share >= 1 ? "over" : share >= one.warn_at ? "near" : "";
      const name = make("span", "name", one.name);
      name.title = one.name;
      const percent = `${Math.floor(100 * share)} % of ${write(limit)}${write === count ? " tokens" : ""} per ${one.period}`;
      return make("div", "row", undefined, name, make("span", "cost", write(spent)), bar(share, state),
        make("span", "more", state === "over" ? `${percent}, used up` : percent));
    }));
  find("budgets").hidden = !rows.length;
  find("budgets").querySelector(".rows").replaceChildren(...rows);
}

function showDays(overview) {
  const [first, last] = [Date.parse(overview.first_day), Date.parse(overview.last_day)];
  const number = Math.round((last - first) / DAY_MS) + 1;
  const most = Math.max(...overview.daily_usage.map((day) => day.total_cost_usd ?? 0), 0);
  const [width, height, base] = [Math.max(find("days-chart").clientWidth, 200), 190, 168];
  const step = width / number;
  const chart = draw("svg", { viewBox: `0 0 ${width} ${height}`, role: "img" });
  chart.append(draw("title", {}, `Cost by day, at most ${usd(most)}`));
  chart.append(draw("line", { x1: 0, x2: width, y1: 22, y2: 22 }), draw("line", { x1: 0, x2: width, y1: base, y2: base }));
  for (const day of overview.daily_usage) {
    const tall = most ? (base - 22) * (day.total_cost_usd ?? 0) / most : 0;
    const x = Math.round((Date.parse(day.usage_date) - first) / DAY_MS) * step;
    const wide = Math.min(step * 0.8, 120);
    const one = draw("rect", { x: x + (step - wide) / 2, width: wide, y: base - Math.max(tall, 2), height: Math.max(tall, 2), rx: 2 });
    one.append(draw("title", {}, `${day.usage_date}: ${usd(day.total_cost_usd)}, ${count(day.operation_count)} calls`));
    chart.append(one);
  }
  chart.append(draw("text", { x: 0, y: 186 }, overview.first_day), draw("text", { x: width, y: 186, "text-anchor": "end" }, overview.last_day));
  chart.append(draw("text", { x: 0, y: 16 }, most ? usd(most) : ""));
  find("days-chart").replaceChildren(chart);
}

function showLatest(calls) {
  find("latest").tBodies[0].replaceChildren(...calls.map((call) => {
    const row = make("tr", call.status === "error" ? "error" : "");
    const cells = [new Date(call.started_at).toLocaleString("sv-SE"), call.user ?? "", call.operation ?? call.call_type ?? "", call.model ?? ""];
    const numbers = [count(call.input_tokens), count(call.output_tokens), call.duration_s === null ? "" : call.duration_s.toFixed(1), usd(call.cost_usd)];
    row.append(...cells.map((text) => make("td", "", text)), ...numbers.map((text) => make("td", "n", text)));
    return row;
  }));
}

function show(overview) {
  showTotals(overview.totals);
  showBudgets(overview.budgets);
  showDays(overview);
  showGroups("models", overview.models, "(no model)");
  showGroups("operations", overview.operations, "(no operation)");
  showGroups("users", overview.users, "(no user)");
  showGroups("notebooks", overview.notebooks, "(no notebook)");
  showGroups("cells", overview.cells, "(no cell)");
  showLatest(overview.latest);
}

let known = null;

async function refresh() {
  const state = find("state");
  const days = find("days").value;
  try {
    const headers = known?.days === days ? { "If-None-Match": known.etag } : {};
    const answer = await fetch(`overview?days=${days}&no_track_activity=1`, { headers, cache: "no-store" });
    if (answer.status !== 304) {
      const body = await answer.json();
      if (!answer.ok) throw new Error(body.message);
      if (days !== find("days").value) return;
      known = { days, etag: answer.headers.get("ETag"), body };
      show(body);
    }
    state.className = "";
    state.textContent = "up to date";
  } catch (error) {
    state.className = "bad";
    state.textContent = `Not up to date: ${error.message}`;
  }
}

find("days").addEventListener("change", refresh);
addEventListener("resize", () => known && showDays(known.body));
refresh();
setInterval(() => document.hidden || refresh(), EVERY_MS);
