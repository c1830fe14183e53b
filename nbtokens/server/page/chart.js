// What was spent on each day, by model: stacked bars. Many days are put together into weeks.
import { brief, find, longDay, make, MEASURES, shortDay } from "./parts.js";

const DAY_MS = 86400000;
const MOST_BARS = 120;
const COLOURS = 6;
const [HEIGHT, TOP, BOTTOM] = [230, 10, 24];
const colours = new Map();

/** A model keeps its colour while it is among the dearest. */
export function colourOf(name) {
  return colours.has(name) ? `var(--c${colours.get(name)})` : "var(--other)";
}

function giveColours(models) {
  const names = models.map((one) => one.name);
  for (const name of colours.keys()) if (!names.includes(name)) colours.delete(name);
  for (const name of names) {
    const taken = [...colours.values()];
    const free = [...Array(COLOURS).keys()].find((one) => !taken.includes(one));
    if (!colours.has(name) && free !== undefined) colours.set(name, free);
  }
}

function draw(tag, attributes, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

/** A step of the scale that is easy to read, so that about four of them reach the top. */
function stepOf(most, least) {
  const power = 10 ** Math.floor(Math.log10(most / 4));
  return Math.max([1, 2, 2.5, 5, 10].find((one) => one * power >= most / 4) * power, least);
}

function scaleText(value, step, measure) {
  if (measure !== "cost") return brief(value);
  const digits = step >= 1 ? 0 : Math.min(12, Math.ceil(-Math.log10(step)) + (String(step / 10 ** Math.floor(Math.log10(step))).startsWith("2.5") ? 1 : 0));
  return "$" + (value >= 1e6 ? brief(value) : value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits }));
}

/** The bars: for each its first day, its calls, what it comes to, and of that what each model's part is. */
function barsOf(overview, measure) {
  const { of } = MEASURES[measure];
  const [first, last] = [Date.parse(overview.first_day), Date.parse(overview.last_day)];
  const days = Math.round((last - first) / DAY_MS) + 1;
  const each = days > MOST_BARS ? 7 * Math.ceil(days / 7 / MOST_BARS) : 1;
  const number = Math.ceil(days / each);  // the last one ends with the last day; the first may have fewer
  const bars = Array.from({ length: number }, (_, n) => ({
    at: Math.max(first, last - ((number - n) * each - 1) * DAY_MS), days: each, calls: 0, sum: 0, parts: overview.daily_models.map(() => 0),
  }));
  overview.daily_usage.forEach((day, n) => {
    const bar = bars[number - 1 - Math.floor(Math.round((last - Date.parse(day.usage_date)) / DAY_MS) / each)];
    bar.calls += day.operation_count;
    bar.sum += of(day) ?? 0;
    overview.daily_models.forEach((model, m) => { bar.parts[m] += of(model)[n] ?? 0; });
  });
  return bars;
}

/** The bar under the pointer in words, at its side. */
function tell(bar, models, measure, x, width) {
  const { write } = MEASURES[measure];
  const tip = make("div", "tip", undefined, make("b", "", bar.days > 1 ? `From ${longDay(bar.at)}` : longDay(bar.at)),
    make("span", "sum", bar.calls ? write(bar.sum) : "no calls"));
  const parts = models.map((model, n) => [model.name ?? "(no model)", bar.parts[n], colourOf(model.name)]);
  parts.push(["other models", Math.max(0, bar.sum - bar.parts.reduce((a, b) => a + b, 0)), "var(--other)"]);
  for (const [name, part, colour] of parts.filter(([, part]) => part > bar.sum * 1e-9)) {
    const dot = make("i");
    dot.style.background = colour;
    tip.append(make("span", "part", undefined, dot, make("span", "name", name), make("span", "n", write(part))));
  }
  if (x < width / 2) tip.style.left = `${x + 14}px`;
  else tip.style.right = `${width - x + 14}px`;
  return tip;
}

function showLegend(models, others) {
  const names = [...models.map((one) => [one.name ?? "(no model)", colourOf(one.name)]), ...(others ? [["other models", "var(--other)"]] : [])];
  find("legend").replaceChildren(...names.map(([name, colour]) => {
    const dot = make("i");
    dot.style.background = colour;
    const item = make("li", "", undefined, dot, make("span", "", name));
    item.title = name;
    return item;
  }));
}

/** Draw all of it. */
export function showDays(overview, measure) {
  const models = overview.daily_models;
  giveColours(models);
  const bars = barsOf(overview, measure);
  find("bin").textContent = { 1: "day", 7: "week" }[bars[0].days] ?? `${bars[0].days / 7} weeks`;
  const most = Math.max(...bars.map((bar) => bar.sum), 0);
  const holder = find("days-chart");
  const width = Math.max(holder.clientWidth, 240);
  const step = most ? stepOf(most, measure === "cost" ? 0 : 1) : 1;
  const top = most ? Math.ceil(most / step - 1e-9) * step : 1;
  const y = (value) => HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * value / top;
  const chart = draw("svg", { viewBox: `0 0 ${width} ${HEIGHT}` });
  const scale = Array.from({ length: most ? Math.round(top / step) : 0 }, (_, n) => [(n + 1) * step, scaleText((n + 1) * step, step, measure)]);
  const left = 12 + 7 * Math.max(0, ...scale.map(([, text]) => text.length));
  for (const [value, text] of [[0, ""], ...scale]) {
    chart.append(draw("line", { x1: left, x2: width, y1: y(value), y2: y(value), class: value ? "" : "base" }));
    chart.append(draw("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, text));
  }
  const slot = (width - left) / bars.length;
  const wide = Math.max(1, Math.min(slot * 0.76, 64));
  const every = Math.max(1, Math.ceil(74 / slot));
  let others = false;
  bars.forEach((bar, n) => {
    const x = left + n * slot + (slot - wide) / 2;
    const group = draw("g", { class: "bar" });
    group.append(draw("rect", { x: left + n * slot, width: slot, y: TOP, height: HEIGHT - BOTTOM - TOP, class: "slot" }));
    let below = 0;
    const other = Math.max(0, bar.sum - bar.parts.reduce((a, b) => a + b, 0));
    if (other > bar.sum * 1e-9) others = true;
    [...bar.parts, other].forEach((part, m) => {
      if (!part || y(below) - y(below + part) < 0.05) return;
      const piece = draw("rect", { x, width: wide, y: y(below + part), height: y(below) - y(below + part), class: "piece" });
      piece.style.fill = m < models.length ? colourOf(models[m].name) : "var(--other)";
      group.append(piece);
      below += part;
    });
    if (bar.calls && y(0) - y(below) < 2) group.append(draw("rect", { x, width: wide, y: y(0) - 2, height: 2, class: "piece stub" }));
    group.addEventListener("pointerenter", () => {
      holder.querySelector(".tip")?.remove();
      holder.append(tell(bar, models, measure, x + wide / 2, width));
    });
    chart.append(group);
    if ((bars.length - 1 - n) % every === 0 && x + wide / 2 - 22 > left - 30) {
      const end = n === bars.length - 1 && slot < 44;
      chart.append(draw("text", { x: end ? width : left + (n + 0.5) * slot, y: HEIGHT - 6, "text-anchor": end ? "end" : "middle" }, shortDay(bar.at)));
    }
  });
  holder.onpointerleave = () => holder.querySelector(".tip")?.remove();
  holder.replaceChildren(chart);
  showLegend(models.filter((_, m) => bars.some((bar) => bar.parts[m])), others);
}
