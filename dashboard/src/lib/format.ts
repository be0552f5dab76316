// Numbers, money and times for people.

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const EXACT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DATE_CLOCK = new Intl.DateTimeFormat(undefined, {
  month: "short", day: "numeric", hour: "2-digit", minute: "2-digit",
});
const COMPACT = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });
const WHOLE = new Intl.NumberFormat("en");

/** A span in at most two units: `8 s`, `4 min`, `2 h 10 min`, `3 d 4 h`. */
export function span(ms: number): string {
  const left = Math.max(0, ms);
  if (left < MINUTE) return `${Math.floor(left / SECOND)} s`;
  if (left < HOUR) return `${Math.floor(left / MINUTE)} min`;
  if (left < DAY) return two(left, HOUR, "h", MINUTE, "min");
  return two(left, DAY, "d", HOUR, "h");
}

function two(ms: number, big: number, bigName: string, small: number, smallName: string): string {
  const rest = Math.floor((ms % big) / small);
  return `${Math.floor(ms / big)} ${bigName}${rest ? ` ${rest} ${smallName}` : ""}`;
}

export function ago(instant: string | null, now: number): string {
  if (instant === null) return "never";
  const passed = now - Date.parse(instant);
  return passed < 2 * SECOND ? "just now" : `${span(passed)} ago`;
}

export const exact = (instant: string | null) => (instant === null ? "" : EXACT.format(new Date(instant)));
export const clock = (instant: string) => CLOCK.format(new Date(instant));

/** The time of day, and the date too where it is another day's. */
export function when(instant: string, now: number): string {
  const date = new Date(instant);
  return date.toDateString() === new Date(now).toDateString() ? CLOCK.format(date) : DATE_CLOCK.format(date);
}

/** Dollars and cents; what is less than a cent to a hundredth of one. */
export function usd(amount: number): string {
  if (amount === 0) return "$0.00";
  if (Math.abs(amount) < 0.01) return small(amount);
  return `$${amount.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
}

const small = (amount: number) => (Math.abs(amount) < 0.0001 ? "<$0.0001" : `$${amount.toFixed(4)}`);

export const count = (value: number) => (Math.abs(value) < 10_000 ? WHOLE.format(value) : COMPACT.format(value));
export const whole = (value: number) => WHOLE.format(value);

export function bytes(value: number): string {
  const units = ["B", "KB", "MB", "GB", "TB"];
  const power = value < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(value) / 10));
  return `${power ? (value / 1024 ** power).toFixed(1) : value} ${units[power]}`;
}

/** The first moment of this day in the reader's zone. */
export function startOfDay(now: number): Date {
  const date = new Date(now);
  date.setHours(0, 0, 0, 0);
  return date;
}

export function startOfMonth(now: number): Date {
  const date = startOfDay(now);
  date.setDate(1);
  return date;
}

/** A text of an agent's on one line, not endless, and with its direction contained. */
export function line(text: string, most = 300): string {
  const flat = text.replace(/\s+/g, " ").trim();
  return flat.length > most ? `${flat.slice(0, most)}…` : flat;
}
