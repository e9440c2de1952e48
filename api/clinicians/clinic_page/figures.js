// Formats a figure: an estimate with its interval, or no number.

const SHOWN = new Set(["ok", "unstable"]);

// An unknown status means no number, whatever else the figure has.
export const isShown = (figure) => SHOWN.has(figure.status) && figure.estimate !== null;

export function writer(texts) {
  const format = (digits, fewest = digits, more = {}) =>
    new Intl.NumberFormat(texts.locale, { ...more, minimumFractionDigits: fewest, maximumFractionDigits: digits, signDisplay: "negative" });
  const percent = { style: "percent" };
  const formats = { people: format(0), sessions: format(0), share: format(1, 1, percent), points: format(2) };
  const tickFormats = { share: format(1, 0, percent), points: format(2, 0) };
  // A real minus sign, which screen readers read as one.
  const written = (found, value) => (found ?? formats.points).format(value).replace("-", "\u2212");
  const days = new Intl.DateTimeFormat(texts.locale, { timeZone: "UTC", day: "numeric", month: "short", year: "numeric" });
  const shortDay = new Intl.DateTimeFormat(texts.locale, { timeZone: "UTC", day: "numeric", month: "short" });
  const dayOf = (date) => new Date(`${date}T00:00:00Z`);

  const number = (value, unit) => written(formats[unit], value);
  const status = (figure) => (isShown(figure) ? texts.short[figure.status] : (texts.hidden[figure.status] ?? texts.none));

  return {
    number,
    status,
    tick: (value, unit) => written(tickFormats[unit] ?? formats[unit], value),
    period: (period) => days.formatRange(dayOf(period.starts_on), dayOf(period.ends_on)),
    shortDay: (date) => shortDay.format(dayOf(date)),
    day: (instant) => days.format(new Date(instant)),
    interval: (figure, unit) => texts.interval(number(figure.ci95_low, unit), number(figure.ci95_high, unit)),
    about(figure, unit) {
      if (!isShown(figure)) return status(figure);
      const said = texts.about(...[figure.estimate, figure.ci95_low, figure.ci95_high].map((value) => number(value, unit)));
      const word = texts.units[unit] ?? "";
      const marked = figure.status === "unstable" ? `, ${texts.short.unstable}` : "";
      return `${said}${word ? ` ${word}` : ""}${marked}`;
    },
  };
}
