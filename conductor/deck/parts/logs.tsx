// An app's log lines as they are written.

import { useEffect, useRef, useState } from "preact/hooks";
import type { LogView } from "../../../core/view.ts";
import { followLines } from "../lines.ts";

const KEPT = 400;
const COLORS = 6;

export function Logs({ app }: { readonly app: string }) {
  const [lines, show] = useState<readonly LogView[]>([]);
  const [paused, pause] = useState(false);
  const box = useRef<HTMLDivElement>(null);

  useEffect(() => {
    if (paused) return;
    const stop = new AbortController();
    void followLines<LogView>(
      `/api/logs/${app}?lines=100&follow=1`,
      stop.signal,
      (fresh) => show((known) => [...known, ...fresh].slice(-KEPT)),
    ).then((why) => why !== null && console.warn(why));
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
