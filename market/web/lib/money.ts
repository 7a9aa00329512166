// Money is integer cents everywhere; it becomes text only here.

const formats = new Map<string, Intl.NumberFormat>();

/** `1999` -> `$19.99`. `cents` is an integer; `currency` an ISO 4217 code with two decimals. */
export function formatMoney(cents: number, currency = "USD"): string {
  let format = formats.get(currency);
  if (!format) {
    format = new Intl.NumberFormat("en-US", { style: "currency", currency });
    formats.set(currency, format);
  }
  return format.format(cents / 100);
}

/**
 * What a person typed into a price field, as cents: `12` -> 1200, `$1,250.5` -> 125050.
 * Undefined when it is no amount, negative, or finer than a cent.
 */
export function parseMoney(text: string): number | undefined {
  const match = /^\$?\s*(\d{1,3}(?:,\d{3})+|\d{1,9})(?:\.(\d{0,2}))?$/.exec(text.trim());
  if (!match) return undefined;
  const whole = Number(match[1]!.replaceAll(",", ""));
  return whole * 100 + Number((match[2] ?? "").padEnd(2, "0"));
}

/** Cents as a plain number for an input field: 1250 -> `12.50`, 1200 -> `12`. */
export function moneyField(cents: number | undefined): string {
  if (cents === undefined) return "";
  return cents % 100 === 0 ? String(cents / 100) : (cents / 100).toFixed(2);
}
