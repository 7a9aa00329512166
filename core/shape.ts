/**
 * Shapes check and type what arrives from outside: `shape(value)` returns the value with its type
 * or throws a `ShapeError` that names the path. Unknown keys are dropped, so that a newer peer may
 * say more than an older one understands.
 */
export type Shape<T> = (value: unknown, path?: string) => T;

/** What a shape describes. */
export type Shaped<S> = S extends Shape<infer T> ? T : never;

/** The value does not have the shape; `message` says where and what was expected. */
export class ShapeError extends Error {
  override readonly name = "ShapeError";
}

function refuse(path: string, expected: string): never {
  throw new ShapeError(`${path === "" ? "message" : path}: expected ${expected}`);
}

/** A string of at most `maxLength` UTF-16 units that matches `pattern`, if one is given. */
export function text(maxLength: number, pattern?: RegExp): Shape<string> {
  return (value, path = "") => {
    if (typeof value !== "string" || value.length > maxLength || pattern?.test(value) === false) {
      refuse(path, `text${pattern ? ` like ${pattern.source}` : ""}, at most ${maxLength} long`);
    }
    return value;
  };
}

/** A whole number in [min, max]. */
export function integer(min: number, max: number): Shape<number> {
  return (value, path = "") => {
    if (!Number.isSafeInteger(value) || (value as number) < min || (value as number) > max) {
      refuse(path, `a whole number from ${min} to ${max}`);
    }
    return value as number;
  };
}

/** A finite number in [min, max]. */
export function decimal(min: number, max: number): Shape<number> {
  return (value, path = "") => {
    if (typeof value !== "number" || !(value >= min && value <= max)) {
      refuse(path, `a number from ${min} to ${max}`);
    }
    return value;
  };
}

export const flag: Shape<boolean> = (value, path = "") => {
  if (typeof value !== "boolean") refuse(path, "true or false");
  return value;
};

/** One of the given strings. */
export function oneOf<const T extends readonly string[]>(...options: T): Shape<T[number]> {
  return (value, path = "") => {
    if (!options.includes(value as string)) refuse(path, options.join(" or "));
    return value as T[number];
  };
}

/** An array of at most `maxLength` items. */
export function list<T>(item: Shape<T>, maxLength: number): Shape<readonly T[]> {
  return (value, path = "") => {
    if (!Array.isArray(value) || value.length > maxLength) {
      refuse(path, `a list of at most ${maxLength}`);
    }
    return value.map((each, index) => item(each, `${path}[${index}]`));
  };
}

/** An object used as a map, with at most `maxSize` keys of at most 256 characters. */
export function map<T>(item: Shape<T>, maxSize: number): Shape<Readonly<Record<string, T>>> {
  return (value, path = "") => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      refuse(path, "an object");
    }
    const entries = Object.entries(value);
    if (entries.length > maxSize) refuse(path, `at most ${maxSize} keys`);
    return Object.fromEntries(entries.map(([key, each]) => {
      if (key.length > 256) refuse(path, "keys of at most 256 characters");
      return [key, item(each, `${path}.${key}`)];
    }));
  };
}

/** The value, or nothing at all (absent or `null`). */
export function maybe<T>(shape: Shape<T>): Shape<T | undefined> {
  return (value, path) => value === undefined || value === null ? undefined : shape(value, path);
}

type Fields = Record<string, Shape<unknown>>;
type OptionalKeys<F extends Fields> = {
  [K in keyof F]: undefined extends Shaped<F[K]> ? K : never;
}[keyof F];
type Plain<T> = { [K in keyof T]: T[K] };

/** An object with these fields; a field whose shape is `maybe(...)` may be absent. */
export type Struct<F extends Fields> = Plain<
  & { readonly [K in Exclude<keyof F, OptionalKeys<F>>]: Shaped<F[K]> }
  & { readonly [K in OptionalKeys<F>]?: Shaped<F[K]> }
>;

export function struct<F extends Fields>(fields: F): Shape<Struct<F>> {
  const entries = Object.entries(fields);
  return (value, path = "") => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      refuse(path, "an object");
    }
    const result: Record<string, unknown> = {};
    for (const [key, shape] of entries) {
      const field = shape(
        Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined,
        path === "" ? key : `${path}.${key}`,
      );
      if (field !== undefined) result[key] = field;
    }
    return result as Struct<F>;
  };
}

/** One of several structs, told apart by their key `k`. */
export type Variant<V extends Record<string, Shape<object>>> = {
  [K in keyof V]: Plain<{ readonly k: K } & Shaped<V[K]>>;
}[keyof V];

export function variant<V extends Record<string, Shape<object>>>(variants: V): Shape<Variant<V>> {
  return (value, path = "") => {
    const kind = (value as { k?: unknown } | null)?.k;
    const shape = typeof kind === "string" && Object.hasOwn(variants, kind) ? variants[kind] : null;
    if (!shape) refuse(path, `k to be one of ${Object.keys(variants).join(" ")}`);
    // Its kind comes first, as whoever looks at the beginning of the text alone expects it.
    return { k: kind, ...shape(value, path) } as Variant<V>;
  };
}

/** Parses JSON into a shape; `null` where it is not JSON or does not have the shape. */
export function parseShaped<T>(shape: Shape<T>, json: string): T | null {
  try {
    return shape(JSON.parse(json));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof ShapeError) return null;
    throw error;
  }
}
