// What an order costs besides its items. All amounts in cents, all rates in hundredths of a percent.

export const SHIPPING_METHODS = ["standard", "express"] as const;
export type ShippingMethod = typeof SHIPPING_METHODS[number];

const STANDARD = 599;
const EXPRESS = 1_499;
const STANDARD_FREE_FROM = 5_000;

/** Sales or value-added tax by country; elsewhere the buyer's own customs office sees to it. */
const TAX_RATES: Readonly<Record<string, number>> = {
  AT: 2_000,
  BE: 2_100,
  CA: 500,
  CH: 810,
  DE: 1_900,
  DK: 2_500,
  ES: 2_100,
  FI: 2_550,
  FR: 2_000,
  GB: 2_000,
  IE: 2_300,
  IT: 2_200,
  NL: 2_100,
  NO: 2_500,
  PL: 2_300,
  PT: 2_300,
  SE: 2_500,
  US: 825,
};
const WHOLE = 10_000;

export interface Costs {
  readonly subtotal: number;
  readonly shipping: number;
  readonly tax: number;
  readonly total: number;
}

/** Adds shipping and tax (on the items, half a cent rounds up) to a subtotal. */
export function costsOf(subtotal: number, method: ShippingMethod, country?: string): Costs {
  const shipping = method === "express" ? EXPRESS : subtotal >= STANDARD_FREE_FROM ? 0 : STANDARD;
  const rate = Object.hasOwn(TAX_RATES, country ?? "") ? TAX_RATES[country!]! : 0;
  const tax = Math.floor((subtotal * rate + WHOLE / 2) / WHOLE);
  return { subtotal, shipping, tax, total: subtotal + shipping + tax };
}
