// What a shipping address needs before it is worth sending. The service checks it again.

import type { Address } from "../api_types.ts";

/** Where the shop ships to. */
export const COUNTRIES: readonly (readonly [code: string, name: string])[] = [
  ["AT", "Austria"],
  ["BE", "Belgium"],
  ["CA", "Canada"],
  ["DK", "Denmark"],
  ["FI", "Finland"],
  ["FR", "France"],
  ["DE", "Germany"],
  ["IE", "Ireland"],
  ["IT", "Italy"],
  ["NL", "Netherlands"],
  ["NO", "Norway"],
  ["PL", "Poland"],
  ["PT", "Portugal"],
  ["ES", "Spain"],
  ["SE", "Sweden"],
  ["CH", "Switzerland"],
  ["GB", "United Kingdom"],
  ["US", "United States"],
];

const REQUIRED: readonly (readonly [keyof Address, string])[] = [
  ["name", "Who is it for?"],
  ["line1", "Enter a street and number."],
  ["postal_code", "Enter a postal code."],
  ["city", "Enter a city."],
];

/** The first thing missing, with the field named as order-svc names it. */
export function checkAddress(address: Address): { field: string; text: string } | undefined {
  for (const [name, text] of REQUIRED) {
    if ((address[name] ?? "").trim() === "") return { field: `shipping_address.${name}`, text };
  }
  return undefined;
}
