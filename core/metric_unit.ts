/** How values with OpenTelemetry's units (UCUM) are shown to people. */

export interface ShownUnit {
  /** What stands behind the number; empty: nothing. */
  readonly unit: string;
  /** What a value is multiplied by. */
  readonly factor: number;
}

const KNOWN: Readonly<Record<string, ShownUnit>> = {
  "By": { unit: "MiB", factor: 1 / 2 ** 20 },
  "KiBy": { unit: "MiB", factor: 1 / 2 ** 10 },
  "MiBy": { unit: "MiB", factor: 1 },
  "s": { unit: "ms", factor: 1_000 },
  "us": { unit: "ms", factor: 1 / 1_000 },
  "ns": { unit: "ms", factor: 1 / 1_000_000 },
};

/**
 * Memory in MiB, times in ms, and what is counted (`{job}`) without a unit; the same a second (`/s`).
 * Others are shown as they are.
 */
export function shownUnit(unit = ""): ShownUnit {
  const [, of = unit, rate = ""] = /^(.*?)(\/s)$/.exec(unit) ?? [];
  const known = KNOWN[of] ?? { unit: of === "1" ? "" : of.replace(/^\{.*\}$/, ""), factor: 1 };
  return { ...known, unit: known.unit + rate };
}
