import type { Context } from "hono";
import { BODY_BYTES, ID_MAX, PAGE_MAX, PER_PAGE_DEFAULT, PER_PAGE_MAX } from "./limits.ts";
import { badRequest, notFound, Problem } from "./problem.ts";
import type { Check } from "./validate.ts";

/** Reads the JSON body by `check`. 413 over `BODY_BYTES`, 400 when it is not JSON. */
export async function readBody<T>(c: Context, check: Check<T>): Promise<T> {
  const bytes = await readBytes(c.req.raw);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw badRequest("body", "the body must be JSON in UTF-8");
  }
  return check(value, "body");
}

async function readBytes(request: Request): Promise<Uint8Array> {
  const tooLarge = new Problem(413, "body", `the body must be at most ${BODY_BYTES} bytes`);
  if (Number(request.headers.get("content-length") ?? 0) > BODY_BYTES) throw tooLarge;
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.length;
    if (size > BODY_BYTES) throw tooLarge;
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

/** A query parameter's text; given twice, empty or unkeepable it is a 400. */
export function queryText(c: Context, name: string, max = 200): string | undefined {
  const values = c.req.queries(name);
  if (!values) return undefined;
  const value = values[0] ?? "";
  if (values.length > 1) throw badRequest(name, `${name} must be given once`);
  if (value === "") throw badRequest(name, `${name} must not be empty`);
  if (value.length > max) throw badRequest(name, `${name} must have at most ${max} characters`);
  // deno-lint-ignore no-control-regex
  if (!value.isWellFormed() || /[\u0000-\u001f\u007f]/.test(value)) {
    throw badRequest(name, `${name} must not contain control characters`);
  }
  return value;
}

/** A query parameter that is an integer from `min` to `max`. */
export function queryInteger(
  c: Context,
  name: string,
  min: number,
  max: number,
): number | undefined {
  const value = queryText(c, name);
  return value === undefined ? undefined : parseInteger(value, name, min, max);
}

/** A query parameter that is `true` or `false`. */
export function queryBoolean(c: Context, name: string): boolean | undefined {
  const value = queryWord(c, name, ["true", "false"]);
  return value === undefined ? undefined : value === "true";
}

/** A query parameter that is one of `words`. */
export function queryWord<const T extends string>(
  c: Context,
  name: string,
  words: readonly T[],
): T | undefined {
  const value = queryText(c, name);
  if (value === undefined) return undefined;
  const word = words.find((each) => each === value);
  if (word === undefined) throw badRequest(name, `${name} must be one of ${words.join(", ")}`);
  return word;
}

/** Which page of a list is asked for. */
export interface PageRequest {
  readonly page: number;
  readonly perPage: number;
}

/** Reads `page` and `per_page`. */
export function queryPage(c: Context): PageRequest {
  return {
    page: queryInteger(c, "page", 1, PAGE_MAX) ?? 1,
    perPage: queryInteger(c, "per_page", 1, PER_PAGE_MAX) ?? PER_PAGE_DEFAULT,
  };
}

/** An integer in the path, such as a product's id. */
export function pathInteger(c: Context, name: string): number {
  return parseInteger(c.req.param(name) ?? "", name, 1, ID_MAX);
}

/** A part of the path that must match `pattern`. */
export function pathText(c: Context, name: string, pattern: RegExp): string {
  const value = c.req.param(name) ?? "";
  if (!pattern.test(value)) throw badRequest(name, `${name} is not of the right form`);
  return value;
}

function parseInteger(value: string, name: string, min: number, max: number): number {
  if (!/^-?\d{1,15}$/.test(value)) throw badRequest(name, `${name} must be an integer`);
  const number = Number(value);
  if (number < min || number > max) {
    throw badRequest(name, `${name} must be from ${min} to ${max}`);
  }
  return number;
}

/** What every list answers. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly page: number;
  readonly per_page: number;
  readonly total: number;
  readonly total_pages: number;
}

/** One page of a list whose entries are already cut to that page. */
export function page<T>(items: readonly T[], total: number, request: PageRequest): Page<T> {
  return {
    items,
    page: request.page,
    per_page: request.perPage,
    total,
    total_pages: Math.ceil(total / request.perPage),
  };
}

/** One page of a list that is wholly in memory. */
export function pageOf<T>(all: readonly T[], request: PageRequest): Page<T> {
  const start = (request.page - 1) * request.perPage;
  return page(all.slice(start, start + request.perPage), all.length, request);
}

/** The client's address as the ingress saw it (the last hop it added), else `direct`. */
export function clientOf(c: Context): string {
  const last = c.req.header("x-forwarded-for")?.split(",").at(-1)?.trim() ?? "";
  return /^[\da-fA-F.:]{2,45}$/.test(last) ? last : "direct";
}

/**
 * Lets a request pass that came directly, as the market's programs ask each other; what came through
 * the ingress is told that there is nothing (404).
 */
export function insideOnly(c: Context): void {
  if (c.req.header("x-forwarded-for") === undefined) return;
  throw notFound("path", "there is nothing at this path with this method");
}
