// How a figure is written: about so much, with its interval, or no number at all.

const SHOWN = new Set(["ok", "unstable"]);

// A status that this page does not know carries no number, whatever comes with it.
export const isShown = (figure) => SHOWN.has(figure.status) && figure.estimate !== null;

export function writer(texts) {
  const whole = new Intl.NumberFormat(texts.locale, { maximumFractionDigits: 0 });
  const points = new Intl.NumberFormat(texts.locale, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const percent = new Intl.NumberFormat(texts.locale, { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
  const formats = { people: whole, sessions: whole, share: percent, points };
  const days = new Intl.DateTimeFormat(texts.locale, { timeZone: "UTC", day: "numeric", month: "short", year: "numeric" });
  const shortDay = new Intl.DateTimeFormat(texts.locale, { timeZone: "UTC", day: "numeric", month: "short" });
  const dayOf = (date) => new Date(`${date}T00:00:00Z`);

  // A rounded −0 would read as if it were something.
  const number = (value, unit) => (formats[unit] ?? points).format(value).replace(/^-(?=[0.,\s]*\s?%?$)/, "");
  const status = (figure) => (isShown(figure) || figure.status in texts.short ? texts.short[figure.status] : texts.none);

  return {
    number,
    status,
    period: (period) => days.formatRange(dayOf(period.starts_on), dayOf(period.ends_on)),
    shortDay: (date) => shortDay.format(dayOf(date)),
    day: (instant) => days.format(new Date(instant)),
    interval: (figure, unit) => texts.interval(number(figure.ci95_low, unit), number(figure.ci95_high, unit)),
    about(figure, unit) {
      if (!isShown(figure)) return texts.statuses[figure.status] && figure.status !== "ok" ? texts.short[figure.status] : texts.none;
      const said = texts.about(...[figure.estimate, figure.ci95_low, figure.ci95_high].map((value) => number(value, unit)));
      const word = texts.units[unit] ?? "";
      const marked = figure.status === "unstable" ? `, ${texts.unstableToo}` : "";
      return `${said}${word ? ` ${word}` : ""}${marked}`;
    },
  };
}
