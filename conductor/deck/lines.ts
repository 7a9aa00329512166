/** Streams of JSON lines, as the conductor's API has them. */

/**
 * Hands over lines in bundles, as they come, so that many of them do not draw the page line by line.
 *
 * @returns why there are no more: what the conductor said, or `null` where it or we ended the stream
 */
export async function followLines<T>(
  url: string,
  signal: AbortSignal,
  take: (lines: readonly T[]) => void,
): Promise<string | null> {
  try {
    const response = await fetch(url, { signal });
    if (!response.ok) return (await response.json()).error ?? response.statusText;
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
