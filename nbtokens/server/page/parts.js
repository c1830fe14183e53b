// What all parts of the page are made of: elements and figures.

/** An element with a class, a text, and children. Text only: names come from anybody's notebooks. */
export function make(tag, className, text, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  element.append(...children);
  return element;
}

export const find = (id) => document.getElementById(id);

export const count = (number) => (number === null ? "" : number.toLocaleString("en-US"));

const compact = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });

/** A number that must not be wide. */
export const brief = (number) => (Math.abs(number) < 1e7 ? count(number) : compact.format(number));

/** Money as everywhere in nbtokens; null is a price that is not known, never $0. */
export function usd(amount) {
  if (amount === null) return "unpriced";
  if (!amount) return "$0.00";
  if (amount >= 9.99995) return "$" + amount.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  if (amount >= 0.001) return "$" + amount.toFixed(4);
  return "$" + amount.toFixed(Math.min(20, 1 - Math.floor(Math.log10(amount))));
}

/** What can be measured: of any figures the amount, and how it is written. */
export const MEASURES = {
  cost: { of: (one) => one.total_cost_usd, write: usd },
  tokens: { of: (one) => one.total_tokens, write: brief },
  calls: { of: (one) => one.operation_count, write: brief },
};

/** A day in few letters: 22 Nov. */
export const shortDay = (time) =>
  new Date(time).toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });

export const longDay = (time) =>
  new Date(time).toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });
