// Forms of answers over HTTP.

export function fail(status: number, error: string): Response {
  return Response.json({ error }, { status });
}

/** A parameter that says how many: 100 where it is absent or no number, 10,000 at most. */
export function countOf(url: URL, name: string): number {
  const count = Number(url.searchParams.get(name) || 100);
  return Number.isSafeInteger(count) && count >= 0 ? Math.min(10_000, count) : 100;
}

/** Lines for as long as the client listens; a client that stops reading is cut off. */
export function stream(
  start: (send: (line: string) => void, end: () => void) => () => void,
): Response {
  const encoder = new TextEncoder();
  let stop = () => {};
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      let open = true;
      const close = (how: () => void) => {
        if (!open) return;
        open = false;
        stop();
        how();
      };
      const send = (line: string) => {
        if (!open) return;
        controller.enqueue(encoder.encode(`${line}\n`));
        if ((controller.desiredSize ?? 0) < 0) {
          close(() => controller.error(new Error("the client reads too slowly")));
        }
      };
      const begun = start(send, () => close(() => controller.close()));
      if (open) stop = begun;
      else begun();
    },
    cancel: () => stop(),
  }, new ByteLengthQueuingStrategy({ highWaterMark: 4 * 1024 * 1024 }));
  return new Response(body, {
    headers: { "content-type": "application/x-ndjson", "cache-control": "no-store" },
  });
}
