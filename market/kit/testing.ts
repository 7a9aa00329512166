import type { Service, Surroundings } from "./service.ts";

export type TestSurroundings = Surroundings & { readonly lines: Record<string, unknown>[] };

/** Surroundings for a service under test; its log lines are kept, parsed. */
export function testSurroundings(
  name: string,
  given: { env?: Record<string, string>; fetch?: typeof fetch; now?: () => number } = {},
): TestSurroundings {
  const lines: Record<string, unknown>[] = [];
  return {
    name,
    replica: `${name}-1`,
    node: "node-1",
    env: (key) => given.env?.[key],
    log: (line) => void lines.push(JSON.parse(line)),
    now: given.now ?? Date.now,
    fetch: given.fetch ?? (() => Promise.reject(new TypeError("no network in this test"))),
    lines,
  };
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // deno-lint-ignore no-explicit-any
  readonly body: any;
}

/** Sends one request to a handler; `json` becomes the body, `raw` goes as it is. */
export async function ask(
  service: Pick<Service, "fetch">,
  request: string,
  given: { json?: unknown; raw?: BodyInit; session?: string; headers?: Record<string, string> } =
    {},
): Promise<Answer> {
  const [method = "GET", path = "/"] = request.split(" ");
  const headers = new Headers(given.headers);
  if (given.session !== undefined) headers.set("authorization", `Bearer ${given.session}`);
  if (given.json !== undefined) headers.set("content-type", "application/json");
  const response = await service.fetch(
    new Request(`http://shop.test${path}`, {
      method,
      headers,
      body: given.json !== undefined ? JSON.stringify(given.json) : given.raw,
    }),
  );
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.includes("json");
  return {
    status: response.status,
    headers: response.headers,
    body: isJson ? JSON.parse(text) : text,
  };
}

/** Waits, at most ten seconds, until `check` says that it has come. */
export async function eventually(
  what: string,
  check: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!await check()) {
    if (performance.now() > deadline) throw new Error(`did not come within 10 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
