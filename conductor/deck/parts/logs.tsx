// Log lines as they are written.

import { useEffect, useRef, useState } from "preact/hooks";
import type { LogView } from "../../../core/view.ts";
import { clock } from "../format.ts";
import { useLines } from "../lines.ts";
import { Problem } from "./search.tsx";

const KEPT = 400;
const COLORS = 6;

/** Lines that are followed, from `/api/...`. Paused, they stay as they are. */
export function Logs({ title, url }: { readonly title: string; readonly url: string }) {
  const [paused, pause] = useState(false);
  const { value: lines, problem } = useLines<LogView>(paused ? null : url, KEPT);
  const box = useRef<HTMLDivElement>(null);

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
      <Problem text={problem} />
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
