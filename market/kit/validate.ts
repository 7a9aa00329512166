import { badRequest } from "./problem.ts";

/** Turns an unknown value into a `T`, or throws the 400 that names `field`. */
export type Check<T> = (value: unknown, field: string) => T;

/** The type a check yields. */
export type Checked<C> = C extends Check<infer T> ? T : never;

/** An integer from `min` to `max`; numbers in strings are refused. */
export function integer(min: number, max: number): Check<number> {
  return (value, field) => {
    if (typeof value !== "number" || !Number.isInteger(value)) {
      throw badRequest(field, `${field} must be an integer`);
    }
    if (value < min || value > max) {
      throw badRequest(field, `${field} must be from ${min} to ${max}`);
    }
    return value;
  };
}

export interface TextRules {
  readonly min?: number;
  readonly max: number;
  /** Line breaks and tabs are allowed. */
  readonly lines?: boolean;
  /** What the whole text must match, and the same in words. */
  readonly pattern?: RegExp;
  readonly meaning?: string;
}

/**
 * A text, trimmed, of `min` to `max` characters. Control characters, lone surrogates (neither
 * store could keep them) and HTML tags are refused: no field of the shop is markup.
 */
export function text(rules: TextRules): Check<string> {
  const { min = 1, max, lines = false, pattern, meaning } = rules;
  return (value, field) => {
    if (typeof value !== "string") throw badRequest(field, `${field} must be a text`);
    const trimmed = value.trim();
    const length = [...trimmed].length;
    if (length < min || length > max) {
      throw badRequest(field, `${field} must have ${min} to ${max} characters`);
    }
    refuseUnkeepable(trimmed, field, lines);
    if (/<[a-z/!?]/i.test(trimmed)) throw badRequest(field, `${field} must not contain HTML`);
    if (pattern && !pattern.test(trimmed)) {
      throw badRequest(field, `${field} must be ${meaning ?? "of the right form"}`);
    }
    return trimmed;
  };
}

/** A password: any characters but control characters, nothing trimmed. */
export function password(min: number, max: number): Check<string> {
  return (value, field) => {
    if (typeof value !== "string") throw badRequest(field, `${field} must be a text`);
    const length = [...value].length;
    if (length < min || length > max) {
      throw badRequest(field, `${field} must have ${min} to ${max} characters`);
    }
    refuseUnkeepable(value, field, false);
    return value;
  };
}

function refuseUnkeepable(value: string, field: string, lines: boolean): void {
  // deno-lint-ignore no-control-regex
  const control = lines ? /[\u0000-\u0008\u000b-\u001f\u007f]/ : /[\u0000-\u001f\u007f]/;
  if (!value.isWellFormed() || control.test(lines ? value.replaceAll("\r\n", "\n") : value)) {
    throw badRequest(field, `${field} must not contain control characters`);
  }
}

/** One of the given words. */
export function oneOf<const T extends string>(words: readonly T[]): Check<T> {
  return (value, field) => {
    const word = words.find((each) => each === value);
    if (word === undefined) throw badRequest(field, `${field} must be one of ${words.join(", ")}`);
    return word;
  };
}

/** A list of `min` to `max` entries. */
export function list<T>(check: Check<T>, min: number, max: number): Check<T[]> {
  return (value, field) => {
    if (!Array.isArray(value)) throw badRequest(field, `${field} must be a list`);
    if (value.length < min || value.length > max) {
      throw badRequest(field, `${field} must have ${min} to ${max} entries`);
    }
    return value.map((entry, at) => check(entry, `${field}[${at}]`));
  };
}

/** `null` or what `check` accepts. */
export function nullable<T>(check: Check<T>): Check<T | null> {
  return (value, field) => value === null ? null : check(value, field);
}

/** Marks a member of `shape` that may be left out. */
export function optional<T>(check: Check<T>): Check<T | undefined> {
  const marked: Check<T | undefined> = (value, field) => check(value, field);
  OPTIONAL.add(marked);
  return marked;
}
const OPTIONAL = new WeakSet<Check<unknown>>();

type Shape = Readonly<Record<string, Check<unknown>>>;

/** An object with exactly these members; an unknown one is refused by its name. */
export function shape<S extends Shape>(members: S): Check<{ [K in keyof S]: Checked<S[K]> }> {
  return (value, field) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw badRequest(field, `${field} must be an object`);
    }
    const inside = field === "body" ? "" : `${field}.`;
    for (const key of Object.keys(value)) {
      if (!Object.hasOwn(members, key)) {
        const name = inside + printable(key);
        throw badRequest(name, `${name} is not a field of this request`);
      }
    }
    const result: Record<string, unknown> = {};
    for (const [key, check] of Object.entries(members)) {
      if (Object.hasOwn(value, key)) {
        result[key] = check((value as Record<string, unknown>)[key], inside + key);
      } else if (!OPTIONAL.has(check)) {
        throw badRequest(inside + key, `${inside}${key} is missing`);
      }
    }
    return result as { [K in keyof S]: Checked<S[K]> };
  };
}

/** A stranger's key, cut and without what could be read as markup or a control sequence. */
function printable(key: string): string {
  return key.slice(0, 40).replace(/[^\w.$-]/g, "?");
}
