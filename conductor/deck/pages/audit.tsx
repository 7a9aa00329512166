// Who did what, as the signed log has it, as it is written.

import { useEffect, useState } from "preact/hooks";
import type { AuditView } from "../../../core/view.ts";
import { clock } from "../format.ts";
import { followLines } from "../lines.ts";

const KEPT = 500;

export function AuditPage() {
  const [query, ask] = useState("");
  const [lines, show] = useState<readonly AuditView[]>([]);
  const [problem, say] = useState<string | null>(null);

  useEffect(() => {
    const stop = new AbortController();
    show([]);
    say(null);
    void followLines<AuditView>(
      `/api/audit?limit=${KEPT}&follow=1${query}`,
      stop.signal,
      (fresh) => show((known) => [...fresh.toReversed(), ...known].slice(0, KEPT)),
    ).then((why) => stop.signal.aborted || say(why ?? "the conductor ended the stream"));
    return () => stop.abort();
  }, [query]);

  const filter = (event: Event) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    ask(
      ["app", "operator"].map((name) => {
        const value = String(form.get(name) ?? "").trim();
        return value === "" ? "" : `&${name}=${encodeURIComponent(value)}`;
      }).join(""),
    );
  };
  return (
    <>
      <h1>Audit</h1>
      <form class="search" onSubmit={filter}>
        <label>
          App <input type="search" name="app" />
        </label>
        <label>
          Operator <input type="search" name="operator" />
        </label>
        <button type="submit">Show</button>
      </form>
      {problem !== null && <p class="card problems" role="alert">{problem}</p>}
      {lines.length === 0 && <p class="hush">Nothing to show.</p>}
      <ol class="events audit">
        {lines.map((line) => (
          <li>
            <time dateTime={new Date(line.wallMs).toISOString()}>{clock(line.wallMs)}</time>
            <span class={`kind ${line.kind === "refused" ? "bad" : ""}`}>
              {line.verb ?? line.kind}
            </span>
            <span class="words">
              {line.operator !== undefined && <b title={line.key}>{line.operator}</b>} {line.text}
              {line.sequence !== undefined && " "}
              {line.sequence !== undefined && <small class="hush">entry {line.sequence}</small>}
            </span>
          </li>
        ))}
      </ol>
    </>
  );
}
