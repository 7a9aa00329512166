// A client on a host of its own: run there by netns_cluster.ts, told by lines of JSON on standard
// input what to ask, answers by lines of JSON on standard output.

/** One order. */
export type Order =
  | { readonly id: number; readonly k: "ask"; readonly url: string }
  /** Asks for the URL again and again, in so many loops at once, until `stop`. */
  | { readonly id: number; readonly k: "load"; readonly url: string; readonly loops: number }
  | { readonly id: number; readonly k: "stop" };

/** What a request came to; `status` is 0 where there was no response. */
export interface Answer {
  readonly status: number;
  readonly replica: string;
  readonly body: string;
}

/** What a load came to. */
export interface LoadResult {
  readonly answered: number;
  /** Those that did not get their 200. */
  readonly failed: readonly Failed[];
  readonly slowestMs: number;
}

/** A request that failed: when it began (since the load did), how long it took, what it got. */
export interface Failed {
  readonly atMs: number;
  readonly ms: number;
  readonly status: number;
  readonly body: string;
}

/** Whoever waits for longer has not been served, ms. */
const ASK_MS = 8_000;
/** Between two requests of one loop, so that the machine has time for those who answer, ms. */
const PAUSE_MS = 4;

/** Asks for a URL; where several are given, with blanks between, one after another until one answers. */
async function ask(urls: string): Promise<Answer> {
  const all = urls.split(" ");
  const first = Math.floor(Math.random() * all.length);
  let answer: Answer | undefined;
  for (let at = 0; at < all.length && answer?.status !== 200; at++) {
    answer = await askOne(all[(first + at) % all.length]!);
  }
  return answer!;
}

async function askOne(url: string): Promise<Answer> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(ASK_MS) });
    const body = await response.text();
    return { status: response.status, replica: response.headers.get("x-replica") ?? "", body };
  } catch (error) {
    return { status: 0, replica: "", body: String(error) };
  }
}

class Load {
  readonly #loops: Promise<void>[];
  readonly #failed: Failed[] = [];
  readonly #begun = performance.now();
  #going = true;
  #answered = 0;
  #slowestMs = 0;

  constructor(url: string, loops: number) {
    this.#loops = Array.from({ length: loops }, () => this.#loop(url));
  }

  async #loop(url: string): Promise<void> {
    while (this.#going) {
      const begun = performance.now();
      const { status, body } = await ask(url);
      const ms = performance.now() - begun;
      this.#slowestMs = Math.max(this.#slowestMs, ms);
      if (status === 200) this.#answered++;
      else {
        const atMs = Math.round(begun - this.#begun);
        this.#failed.push({ atMs, ms: Math.round(ms), status, body: body.slice(0, 200) });
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }

  async stop(): Promise<LoadResult> {
    this.#going = false;
    await Promise.all(this.#loops);
    return {
      answered: this.#answered,
      failed: this.#failed,
      slowestMs: Math.round(this.#slowestMs),
    };
  }
}

async function serve(): Promise<void> {
  let load: Load | undefined;
  const obey = async (order: Order): Promise<Answer | LoadResult | null> => {
    switch (order.k) {
      case "ask":
        return await ask(order.url);
      case "load":
        load = new Load(order.url, order.loops);
        return null;
      case "stop":
        return await load!.stop();
      default:
        return order satisfies never;
    }
  };
  let rest = "";
  for await (const part of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + part).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      const order: Order = JSON.parse(line);
      obey(order).then((value) => console.log(JSON.stringify({ id: order.id, value })));
    }
  }
  Deno.exit(0);
}

if (import.meta.main) await serve();
