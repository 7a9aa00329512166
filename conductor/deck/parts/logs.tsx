// An app's log lines as they are written.

import { useEffect, useRef, useState } from "preact/hooks";
import type { LogView } from "../../../core/view.ts";

const KEPT = 400;
const COLORS = 6;

export function Logs({ app }: { readonly app: string }) {
  const [lines, show] = useState<readonly LogView[]>([]);
  const [paused, pause] = useState(false);
  const box = useRef<HTMLDivElement>(null);

  useEffect(() => {
    if (paused) return;
    const stop = new AbortController();
    void follow(app, stop.signal, (fresh) => show((known) => [...known, ...fresh].slice(-KEPT)));
    return () => {
      stop.abort();
      show([]);
    };
  }, [app, paused]);
  useEffect(() => {
    const element = box.current;
    if (element && !paused) element.scrollTop = element.scrollHeight;
  }, [lines]);

  return (
    <section class="card">
      <h2>
        Logs{" "}
        <button type="button" onClick={() => pause(!paused)}>{paused ? "Follow" : "Pause"}</button>
      </h2>
      <div class="log" ref={box} tabindex={0} role="log" aria-label={`Logs of ${app}`}>
        {lines.length === 0 && <p class="hush">Nothing was written.</p>}
        {lines.map((line) => (
          <div>
            <b class={`tint-${tintOf(line.replica)}`}>{line.replica}</b> {line.line}
          </div>
        ))}
      </div>
    </section>
  );
}

function tintOf(replica: string): number {
  return Number(replica.slice(replica.lastIndexOf(".") + 1)) % COLORS;
}

/** Hands over new lines in bundles, so that a talkative app does not draw the page line by line. */
async function follow(
  app: string,
  signal: AbortSignal,
  take: (lines: readonly LogView[]) => void,
): Promise<void> {
  try {
    const response = await fetch(`/api/logs/${app}?lines=100&follow=1`, { signal });
    if (!response.ok || !response.body) return;
    let rest = "";
    for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
      const parts = (rest + text).split("\n");
      rest = parts.pop() ?? "";
      take(parts.filter((part) => part !== "").map((part) => JSON.parse(part) as LogView));
    }
  } catch (error) {
    if (!signal.aborted) console.warn(error);
  }
}
