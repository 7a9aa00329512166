// Query strings: the filters of a list live in the address, so that every view can be linked,
// reloaded and gone back to.

export type QueryValue = string | number | boolean | undefined;

/** A path with its query: absent, empty and `false` values are left out, keys sorted. */
export function withQuery(path: string, values: Record<string, QueryValue>): string {
  const query = new URLSearchParams();
  for (const key of Object.keys(values).sort()) {
    const value = values[key];
    if (value === undefined || value === "" || value === false) continue;
    query.set(key, String(value));
  }
  const text = query.toString();
  return text === "" ? path : `${path}?${text}`;
}

/** A positive integer from a query, else `fallback`: `?page=0`, `?page=x` show page 1. */
export function positive(query: URLSearchParams, key: string, fallback: number): number;
export function positive(query: URLSearchParams, key: string): number | undefined;
export function positive(query: URLSearchParams, key: string, fallback?: number) {
  const text = query.get(key) ?? "";
  return /^[1-9]\d{0,8}$/.test(text) ? Number(text) : fallback;
}

/** A query value if it is one of those known, else undefined. */
export function oneOf<T extends string>(
  query: URLSearchParams,
  key: string,
  known: readonly T[],
): T | undefined {
  const text = query.get(key);
  return known.find((value) => value === text);
}

/**
 * The page numbers a pagination bar shows, 0 standing for a gap: the first, the last, the current
 * and its neighbours; a gap of one page is shown as that page.
 */
export function pageNumbers(current: number, total: number): number[] {
  const shown: number[] = [];
  for (let page = 1; page <= total; page++) {
    const near = page === 1 || page === total || Math.abs(page - current) <= 1;
    const fillsGap = (page === 2 && current === 4) || (page === total - 1 && current === total - 3);
    if (near || fillsGap) shown.push(page);
    else if (shown.at(-1) !== 0) shown.push(0);
  }
  return shown;
}

/** `next` of a sign-in link, only if it is a path inside the shop. */
export function safeNext(next: string | null): string {
  return next !== null && /^\/(?![/\\])/.test(next) ? next : "/";
}
