// The kinds of values: how each is read, checked and written. A kind knows nothing of keys.

import type { Fault } from "./errors.ts";
import { nearest, quoted, UNPRINTABLE } from "./errors.ts";
import { joinWords, splitWords } from "./words.ts";
import { checkVariables } from "./variables.ts";

/** Reports a mistake in a part of the value's text; without a place, the whole value is wrong. */
export type Fail = (fault: Fault, start?: number, length?: number) => void;

/** One kind of value. `print` writes what `parse` reads back as an equal value. */
export interface Kind<T> {
  /** As documents call it: `duration`. */
  readonly name: string;
  /** What may be written, for messages and documents: `a duration such as 10s, from 1s to 1h`. */
  readonly form: string;
  readonly mode: "plain" | "shell";
  /** A value with blanks must stand in quotes. */
  readonly oneWord?: boolean;
  /** The words to choose from, where there is a fixed set. */
  readonly words?: readonly string[];
  /** The value, or undefined after at least one fault. */
  parse(text: string, fail: Fail, quoted: boolean): T | undefined;
  print(value: T): string;
}

/** A kind of number: `read` returns undefined for what is none, and bounds are checked here. */
function numeric(
  name: string,
  form: string,
  bounds: readonly [min: number, max: number],
  read: (text: string) => number | undefined,
  print: (value: number) => string = String,
): Kind<number> {
  return {
    name,
    form,
    mode: "plain",
    print,
    parse(text, fail) {
      const value = read(text);
      if (value !== undefined && value >= bounds[0] && value <= bounds[1]) return value || 0;
      const code = value === undefined ? "wrong-kind" : "out-of-range";
      fail({ code, message: `${quoted(text)} is not ${form}` });
      return undefined;
    },
  };
}

function matched(text: string, pattern: RegExp): number | undefined {
  return pattern.test(text) ? parseFloat(text) : undefined;
}

/** A whole number in [min, max]. */
export function int(min: number, max: number): Kind<number> {
  const form = `a whole number from ${min} to ${max}`;
  return numeric("int", form, [min, max], (text) => matched(text, /^-?[0-9]{1,15}$/));
}

/** A number in [min, max] with at most three decimals. */
export function decimal(min: number, max: number): Kind<number> {
  const form = `a number from ${min} to ${max} such as 0.5`;
  return numeric(
    "number",
    form,
    [min, max],
    (text) => matched(text, /^-?[0-9]{1,9}(\.[0-9]{1,3})?$/),
  );
}

/** A whole percentage in [min, max], with or without the sign. */
export function percent(min: number, max: number): Kind<number> {
  const form = `a percentage from ${min}% to ${max}%`;
  const read = (text: string) => matched(text, /^-?[0-9]{1,9}%?$/);
  return numeric("percent", form, [min, max], read, (value) => `${value}%`);
}

const SECONDS = 1_000;
const MINUTES = 60 * SECONDS;
const HOURS = 60 * MINUTES;
const DAYS = 24 * HOURS;
const DURATIONS: readonly (readonly [string, number])[] = [
  ["d", DAYS],
  ["h", HOURS],
  ["m", MINUTES],
  ["s", SECONDS],
  ["ms", 1],
];

/** A duration in ms, in [min, max] ms. */
export function duration(min: number, max: number): Kind<number> {
  const form =
    `a duration from ${printDuration(min)} to ${printDuration(max)} such as 500ms, 10s, ` +
    `5m, 1h or 2d`;
  return numeric("duration", form, [min, max], (text) => {
    const match = /^(-?[0-9]{1,12}(?:\.[0-9]{1,3})?)(ms|s|m|h|d)$/.exec(text);
    if (match === null) return undefined;
    const unit = DURATIONS.find(([name]) => name === match[2])![1];
    return scaled(match[1]!, unit);
  }, printDuration);
}

/** A duration as a manifest writes it: in the largest unit that needs no fraction. */
export function printDuration(ms: number): string {
  return ms === 0 ? "0s" : printUnits(ms, DURATIONS);
}

function printUnits(value: number, units: readonly (readonly [string, number])[]): string {
  const [name, unit] = units.find(([, unit]) => value % unit === 0)!;
  return `${value / unit}${name}`;
}

function scaled(digits: string, unit: number): number | undefined {
  const exact = Number(digits) * unit;
  const whole = Math.round(exact);
  if (Math.abs(exact - whole) > 1e-6 * Math.max(1, Math.abs(exact))) return undefined;
  return whole;
}

const SIZES: readonly (readonly [string, number])[] = [
  ["tb", 1024 ** 4],
  ["gb", 1024 ** 3],
  ["mb", 1024 ** 2],
  ["kb", 1024],
  ["b", 1],
];

/** A size in bytes, in [min, max] bytes; units are powers of 1024. */
export function size(min: number, max: number): Kind<number> {
  const form = `a size from ${printSize(min)} to ${printSize(max)} such as 512kb, 256mb or 4gb`;
  return numeric("size", form, [min, max], (text) => {
    const match = /^(-?[0-9]{1,15}(?:\.[0-9]{1,3})?)(b|[kmgt](?:i?b)?)$/i.exec(text);
    if (match === null) return undefined;
    const letter = match[2]![0]!.toLowerCase();
    const unit = SIZES.find(([name]) => name[0] === letter)![1];
    return scaled(match[1]!, unit);
  }, printSize);
}

/** A size as a manifest writes it: in the largest unit that needs no fraction. */
export function printSize(bytes: number): string {
  return bytes === 0 ? "0b" : printUnits(bytes, SIZES);
}

const RATES: readonly (readonly [string, number])[] = [["s", 1], ["m", 60], ["h", 3_600]];

/** Events per second, written `100/s` (also `/m`, `/h`). */
export const rate: Kind<number> = numeric(
  "rate",
  "a rate such as 100/s, 30/m or 10/h",
  [1 / 3_600, 1_000_000],
  (text) => {
    const match = /^([0-9]{1,9}(?:\.[0-9]{1,20})?)\/([smh])$/.exec(text);
    if (match === null) return undefined;
    return Number(match[1]) / RATES.find(([unit]) => unit === match[2])![1];
  },
  (perSecond) => {
    const exact = RATES.find(([, seconds]) =>
      Math.round(perSecond * seconds) / seconds === perSecond
    );
    return exact ? `${Math.round(perSecond * exact[1])}/${exact[0]}` : `${perSecond}/s`;
  },
);

/** What is within a rate at once where nobody says: as many as a second brings. */
export function defaultBurst(perSecond: number): number {
  return Math.max(1, Math.ceil(perSecond));
}

const FLAGS: Readonly<Record<string, boolean>> = { true: true, yes: true, false: false, no: false };

export const flag: Kind<boolean> = {
  name: "boolean",
  form: "true, false, yes or no",
  mode: "plain",
  words: ["yes", "no", "true", "false"],
  print: (value) => value ? "yes" : "no",
  parse(text, fail) {
    if (Object.hasOwn(FLAGS, text)) return FLAGS[text];
    fail({ code: "wrong-kind", message: `${quoted(text)} is not true, false, yes or no` });
    return undefined;
  },
};

/** One word of a few; `aliases` maps other spellings to them. */
export function choice<const T extends string>(
  options: readonly T[],
  aliases: Readonly<Record<string, T>> = {},
): Kind<T> {
  const all = [...options, ...Object.keys(aliases)];
  return {
    name: "choice",
    form: `one of ${all.join(" ")}`,
    mode: "plain",
    words: options,
    print: (value) => value,
    parse(text, fail) {
      const found = options.find((option) => option === text) ??
        (Object.hasOwn(aliases, text) ? aliases[text] : undefined);
      if (found !== undefined) return found;
      fail({
        code: "wrong-kind",
        message: `${quoted(text)} is not one of ${all.join(" ")}`,
        nearest: nearest(text, all),
      });
      return undefined;
    },
  };
}

export interface TextOptions {
  readonly name?: string;
  readonly form: string;
  readonly pattern?: RegExp;
  readonly maxLength?: number;
  /** Blanks only in quotes. */
  readonly oneWord?: boolean;
  /** Line ends and other control characters may be escaped into it. */
  readonly anyCharacter?: boolean;
  /** `${...}` is replaced in it, so it must name variables that exist. */
  readonly variables?: boolean;
  /** What else must hold; returns what is wrong. */
  readonly check?: (text: string) => string | undefined;
  readonly change?: (text: string) => string;
}

/** Free text. */
export function text(options: TextOptions): Kind<string> {
  return {
    name: options.name ?? "string",
    form: options.form,
    mode: "plain",
    oneWord: options.oneWord,
    print: (value) => value,
    parse(written, fail, isQuoted) {
      const value = options.change?.(written) ?? written;
      const problem = textProblem(value, options, isQuoted);
      if (problem !== undefined) fail(problem.fault, problem.start, problem.length);
      let sound = problem === undefined;
      if (options.variables) {
        checkVariables(value, (start, length, fault) => {
          sound = false;
          fail(fault, start, length);
        });
      }
      return sound ? value : undefined;
    },
  };
}

interface Problem {
  readonly fault: Fault;
  readonly start?: number;
  readonly length?: number;
}

function textProblem(value: string, options: TextOptions, isQuoted: boolean): Problem | undefined {
  const wrong = (message: string): Problem => ({ fault: { code: "wrong-kind", message } });
  const max = options.maxLength ?? 4_096;
  if (!options.anyCharacter) {
    const bad = UNPRINTABLE.exec(value);
    if (bad) {
      const fault: Fault = {
        code: "character",
        message: "a character that does not print may not stand here",
      };
      return { fault, start: bad.index, length: bad[0].length };
    }
    if (value === "") return wrong(`an empty text is not ${options.form}`);
    if (value.length > max) {
      const message = `this is ${value.length} characters long; at most ${max} are allowed`;
      return { fault: { code: "out-of-range", message } };
    }
  }
  if (options.oneWord && !isQuoted) {
    const second = value.search(/(?<=[ \t])[^ \t]/);
    if (second >= 0) {
      const message = `only one word may stand here: ${options.form}; quote it if the blank ` +
        `belongs to it`;
      return {
        fault: { code: "wrong-kind", message },
        start: second,
        length: value.length - second,
      };
    }
  }
  if (options.pattern && !options.pattern.test(value)) {
    return wrong(`${quoted(value)} is not ${options.form}`);
  }
  const other = options.check?.(value);
  return other === undefined ? undefined : wrong(other);
}

/** Words split as a shell splits them; `${...}` is checked. */
export const words: Kind<readonly string[]> = {
  name: "words",
  form: "words, split as a shell splits them",
  mode: "shell",
  print: joinWords,
  parse(source, fail) {
    const split = splitWords(source);
    if (!split.ok) {
      fail(split.fault, split.fault.start, split.fault.length);
      return undefined;
    }
    let sound = true;
    for (const word of split.words) {
      checkVariables(word.text, (start, length, fault) => {
        sound = false;
        const from = word.at[start]!;
        fail(fault, from, word.at[start + length - 1]! + 1 - from);
      });
    }
    return sound ? split.words.map((word) => word.text) : undefined;
  },
};

/** Words split as a shell splits them, each of the kind `item`. */
export function listOf<T>(item: Kind<T>): Kind<readonly T[]> {
  return {
    name: "words",
    form: `one or more, each ${item.form}`,
    mode: "shell",
    print: (values) => joinWords(values.map((value) => item.print(value))),
    parse(source, fail) {
      const split = splitWords(source);
      if (!split.ok) {
        fail(split.fault, split.fault.start, split.fault.length);
        return undefined;
      }
      const values: T[] = [];
      for (const word of split.words) {
        const value = item.parse(word.text, (fault) => fail(fault, word.start, word.length), true);
        if (value !== undefined) values.push(value);
      }
      return values.length === split.words.length ? values : undefined;
    },
  };
}
