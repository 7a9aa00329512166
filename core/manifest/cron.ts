// The five fields of a schedule: minute, hour, day of the month, month, day of the week.

import type { WordFault } from "./words.ts";

interface Field {
  readonly what: string;
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[];
}

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

const FIELDS: readonly Field[] = [
  { what: "minute", min: 0, max: 59 },
  { what: "hour", min: 0, max: 23 },
  { what: "day of the month", min: 1, max: 31 },
  { what: "month", min: 1, max: 12, names: MONTHS },
  { what: "day of the week", min: 0, max: 7, names: DAYS },
];

const LONGEST_MONTH = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** What is wrong with a cron line: offsets in UTF-16 units of `text`; empty if nothing is. */
export function cronFaults(text: string): readonly WordFault[] {
  const words = [...text.matchAll(/[^ \t]+/g)];
  if (words.length !== FIELDS.length) {
    return [{
      code: "wrong-kind",
      message: `a schedule has five fields (minute, hour, day of the month, month, day of the ` +
        `week), as in "0 3 * * 1"; here are ${words.length}`,
      start: 0,
      length: text.length,
    }];
  }
  const faults: WordFault[] = [];
  const sets = words.map((word, index): Values | undefined => {
    const field = FIELDS[index]!;
    const values = readField(field, word[0]);
    if (values !== undefined) return values;
    const message = `the ${field.what} is ${formOf(field)}`;
    faults.push({ code: "wrong-kind", message, start: word.index, length: word[0].length });
    return undefined;
  });
  const [, , days, months, weekdays] = sets;
  if (faults.length === 0 && days && months && weekdays === "any" && !everFires(days, months)) {
    faults.push({
      code: "out-of-range",
      message: "this schedule never fires: none of its months has such a day",
      start: words[2]!.index,
      length: words[3]!.index + words[3]![0].length - words[2]!.index,
    });
  }
  return faults;
}

type Values = ReadonlySet<number> | "any";

/**
 * A cron line without faults in its plainest form: `*`, or the numbers of a field, ascending. Sunday
 * is 0.
 */
export function plainCron(text: string): string {
  return text.trim().split(/[ \t]+/).map((word, index) => {
    const values = readField(FIELDS[index]!, word) ?? "any";
    if (values === "any") return "*";
    const numbers = [...values].map((value) => index === 4 && value === 7 ? 0 : value);
    return [...new Set(numbers)].sort((a, b) => a - b).join(",");
  }).join(" ");
}

function everFires(days: Values, months: Values): boolean {
  if (days === "any") return true;
  const first = Math.min(...days);
  return LONGEST_MONTH.some((length, index) =>
    (months === "any" || months.has(index + 1)) && first <= length
  );
}

function formOf(field: Field): string {
  const names = field.names ? ` or ${field.names[0]} to ${field.names.at(-1)}` : "";
  return `*, or ${field.min} to ${field.max}${names}, with lists (1,2), ranges (1-5) and steps (*/5)`;
}

/** The values a field allows; undefined if it is wrong. */
function readField(field: Field, text: string): Values | undefined {
  if (text === "*") return "any";
  const values = new Set<number>();
  for (const part of text.split(",", 100)) {
    const range = readRange(field, part);
    if (range === undefined) return undefined;
    for (let value = range.from; value <= range.to; value += range.step) values.add(value);
  }
  return values;
}

function readRange(
  field: Field,
  part: string,
): { from: number; to: number; step: number } | undefined {
  const match = /^(?:(\*)|([0-9a-z]{1,3})(?:-([0-9a-z]{1,3}))?)(?:\/([0-9]{1,2}))?$/i.exec(part);
  if (match === null) return undefined;
  const [, star, first, last, every] = match;
  const step = every === undefined ? 1 : Number(every);
  if (step < 1) return undefined;
  if (star !== undefined) return { from: field.min, to: field.max, step };
  const from = readNumber(field, first!);
  const to = last === undefined
    ? (every === undefined ? from : field.max)
    : readNumber(field, last);
  if (from === undefined || to === undefined || to < from) return undefined;
  return { from, to, step };
}

function readNumber(field: Field, text: string): number | undefined {
  const name = field.names?.indexOf(text.toLowerCase()) ?? -1;
  if (name >= 0) return field.min + name;
  if (!/^[0-9]{1,2}$/.test(text)) return undefined;
  const value = Number(text);
  return value >= field.min && value <= field.max ? value : undefined;
}
