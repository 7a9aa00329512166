// Log lines as they are written.

import { useEffect, useRef, useState } from "preact/hooks";
import type { LogView } from "../../../core/view.ts";
import { clock } from "../format.ts";
import { followLines } from "../lines.ts";

const KEPT = 400;
const COLORS = 6;

/** Lines that are followed, from `/api/...`. Paused, they stay as they are. */
export function Logs({ title, url }: { readonly title: string; readonly url: string }) {
  const [lines, show] = useState<readonly LogView[]>([]);
  const [problem, say] = useState<string | null>(null);
  const [paused, pause] = useState(false);
  const box = useRef<HTMLDivElement>(null);

  useEffect(() => {
    if (paused) return;
    const stop = new AbortController();
    show([]);
    say(null);
    void followLines<LogView>(
      url,
      stop.signal,
      (fresh) => show((known) => [...known, ...fresh].slice(-KEPT)),
    ).then((why) => stop.signal.aborted || say(why));
    return () => stop.abort();
  }, [url, paused]);
  useEffect(() => {
    const element = box.current;
    if (element && !paused) element.scrollTop = element.scrollHeight;
  }, [lines]);

  return (
    <section class="card">
      <h2>
        {title}{" "}
        <button type="button" onClick={() => pause(!paused)}>{paused ? "Follow" : "Pause"}</button>
      </h2>
      {problem !== null && <p class="problem" role="alert">{problem}</p>}
      <div class="log" ref={box} tabindex={0} role="log" aria-label={title}>
        {lines.length === 0 && <p class="hush">Nothing was written.</p>}
        {lines.map((line) => (
          <div>
            <time>{clock(line.wallMs)}</time>{" "}
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
