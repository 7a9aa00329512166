import { CALL_ENDPOINTS, CALL_TIMEOUT_MS, DIRECTORY_CACHE_MS, TOWER_TIMEOUT_MS } from "./limits.ts";
import { unavailable } from "./problem.ts";
import type { Surroundings } from "./service.ts";
import { traceHeaders } from "./trace.ts";

export interface CallOptions {
  readonly method?: string;
  readonly json?: unknown;
  readonly headers?: Record<string, string>;
  readonly timeoutMs?: number;
  /**
   * Whether the other service may get the request twice: then a call that failed on the way is
   * tried at the next replica. By default only for GET and DELETE.
   */
  readonly repeatable?: boolean;
}

/** Finds the market's services and talks to them. */
export interface Directory {
  /**
   * Sends a request to some replica of `app`.
   *
   * @throws Problem 503 naming the app when no replica answers, or one answers with 5xx.
   */
  call(app: string, path: string, options?: CallOptions): Promise<Response>;
}

interface Known {
  urls: readonly string[];
  readAt: number;
  turn: number;
}

/**
 * A directory that asks the tower (`SKR8TR_TOWER`), or takes fixed addresses (`PRODUCT_URL` for
 * product-svc) where they are set. What the tower said last is used for a second, and for as long
 * as the tower is away.
 */
export function createDirectory(
  around: Pick<Surroundings, "env" | "fetch" | "now">,
  apps: readonly string[],
): Directory {
  // A program that asks nobody need not be allowed to know where the tower is.
  const tower = apps.length > 0 ? around.env("SKR8TR_TOWER") : undefined;
  const known = new Map<string, Known>();
  for (const app of apps) {
    const fixed = around.env(fixedName(app));
    if (fixed) known.set(app, { urls: [fixed], readAt: Infinity, turn: 0 });
  }
  const endpoints = async (app: string): Promise<readonly string[]> => {
    const entry = known.get(app) ?? { urls: [], readAt: -Infinity, turn: 0 };
    known.set(app, entry);
    if (tower && around.now() - entry.readAt > DIRECTORY_CACHE_MS) {
      const urls = await lookup(around.fetch, tower, app);
      // An empty answer may come from a tower that has just started: what was known is kept.
      if (urls) Object.assign(entry, { urls: urls.length ? urls : entry.urls });
      if (urls?.length) entry.readAt = around.now();
    }
    const start = entry.turn++ % Math.max(1, entry.urls.length);
    return [...entry.urls.slice(start), ...entry.urls.slice(0, start)];
  };
  return {
    async call(app, path, options = {}) {
      const urls = (await endpoints(app)).slice(0, CALL_ENDPOINTS);
      const method = options.method ?? "GET";
      const repeatable = options.repeatable ?? (method === "GET" || method === "DELETE");
      for (const url of urls) {
        const response = await send(around.fetch, url + path, method, options);
        if (response && response.status < 500) return response;
        await response?.body?.cancel();
        const entry = known.get(app);
        if (entry && entry.readAt !== Infinity) entry.readAt = -Infinity;
        if (!repeatable) break;
      }
      throw unavailable(app, `${app} cannot be reached just now; try again`);
    },
  };
}

/** `PRODUCT_URL` for product-svc. */
export function fixedName(app: string): string {
  return `${app.replace(/-svc$/, "").replaceAll("-", "_").toUpperCase()}_URL`;
}

async function lookup(
  fetcher: typeof fetch,
  tower: string,
  app: string,
): Promise<readonly string[] | undefined> {
  try {
    const response = await fetcher(`${tower}/lookup/${app}`, {
      signal: AbortSignal.timeout(TOWER_TIMEOUT_MS),
    });
    const body = await response.json();
    if (!response.ok) return response.status === 404 ? [] : undefined;
    return body.endpoints.map((each: { host: string; port: number }) =>
      `http://${each.host}:${each.port}`
    );
  } catch {
    return undefined;
  }
}

/** The answer, or undefined when none came: refused, cut, or too slow. */
async function send(
  fetcher: typeof fetch,
  url: string,
  method: string,
  { json, headers = {}, timeoutMs = CALL_TIMEOUT_MS }: CallOptions,
): Promise<Response | undefined> {
  const sent: Record<string, string> = { ...traceHeaders(), ...headers };
  if (json !== undefined) sent["content-type"] = "application/json";
  try {
    return await fetcher(url, {
      method,
      headers: sent,
      body: json === undefined ? undefined : JSON.stringify(json),
      signal: AbortSignal.timeout(timeoutMs),
      redirect: "error",
    });
  } catch {
    return undefined;
  }
}
