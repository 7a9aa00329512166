/** What the conductor's API has: streams of JSON lines, and answers that are asked for again. */

import { useEffect, useState } from "preact/hooks";

/** After how long a stream that has ended is asked for again, in ms. */
const AGAIN_MS = 2_000;

/** What a page has of a stream or an answer, and why there is no more of it just now. */
export interface Got<T> {
  readonly value: T;
  readonly problem: string | null;
}

/**
 * The last lines of a stream, oldest first. Until another stream answers, or the same one again, the
 * lines of before stay.
 *
 * @param url `null`: nothing is asked for, and what is shown stays as it is
 * @param most lines that are kept
 */
export function useLines<T>(url: string | null, most: number): Got<readonly T[]> {
  const [value, show] = useState<readonly T[]>([]);
  const [problem, say] = useState<string | null>(null);
  useEffect(() => {
    if (url === null) return;
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const follow = async () => {
      const why = await followLines<T>(url, stop.signal, () => {
        say(null);
        show([]);
      }, (fresh) => show((known) => [...known, ...fresh].slice(-most)));
      if (stop.signal.aborted) return;
      say(why ?? "the conductor ended the stream");
      timer = setTimeout(follow, AGAIN_MS);
    };
    void follow();
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [url, most]);
  return { value, problem };
}

/** An answer that is asked for again and again, while the page is looked at. */
export function usePolled<T>(url: string, everyMs: number): Got<T | null> {
  const [value, show] = useState<T | null>(null);
  const [problem, say] = useState<string | null>(null);
  useEffect(() => {
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    show(null);
    const ask = async () => {
      try {
        if (!document.hidden) {
          const response = await fetch(url, { signal: stop.signal });
          const answer = await response.json();
          if (response.ok) show(answer);
          say(response.ok ? null : answer.error ?? response.statusText);
        }
      } catch (error) {
        if (stop.signal.aborted) return;
        say((error as Error).message);
      }
      if (!stop.signal.aborted) timer = setTimeout(ask, everyMs);
    };
    void ask();
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [url, everyMs]);
  return { value, problem };
}

/**
 * Hands over lines in bundles, as they come, so that many of them do not draw the page line by line.
 *
 * @param begun called once an answer begins
 * @returns why there are no more: what the conductor said, or `null` where it or we ended the stream
 */
async function followLines<T>(
  url: string,
  signal: AbortSignal,
  begun: () => void,
  take: (lines: readonly T[]) => void,
): Promise<string | null> {
  try {
    const response = await fetch(url, { signal });
    if (!response.ok) return (await response.json()).error ?? response.statusText;
    begun();
    let rest = "";
    for await (const text of response.body!.pipeThrough(new TextDecoderStream())) {
      const parts = (rest + text).split("\n");
      rest = parts.pop() ?? "";
      take(parts.filter((part) => part !== "").map((part) => JSON.parse(part) as T));
    }
    return null;
  } catch (error) {
    return signal.aborted ? null : (error as Error).message;
  }
}
