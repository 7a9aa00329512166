// Who did what, as the signed log has it, as it is written.

import { useState } from "preact/hooks";
import type { AuditView } from "../../../core/view.ts";
import { around, clock } from "../format.ts";
import { useLines } from "../lines.ts";
import { Problem, SearchForm } from "../parts/search.tsx";

const KEPT = 500;

export function AuditPage() {
  const [query, ask] = useState("");
  const { value: lines, problem } = useLines<AuditView>(
    `/api/audit?limit=${KEPT}&follow=1${query}`,
    KEPT,
  );
  return (
    <>
      <h1>Audit</h1>
      <SearchForm fields={[["app", "App"], ["operator", "Operator"]]} button="Show" search={ask} />
      <Problem text={problem} />
      {lines.length === 0 && <p class="hush">Nothing to show.</p>}
      <ol class="events audit">
        {lines.toReversed().map((line) => (
          <li>
            <time dateTime={new Date(line.wallMs).toISOString()}>{clock(line.wallMs)}</time>
            <span class={`kind ${line.kind === "refused" ? "bad" : ""}`}>
              {line.verb ?? line.kind}
            </span>
            <span class="words">
              <Deed line={line} />
              {line.sequence !== undefined && " "}
              {line.sequence !== undefined && <small class="hush">entry {line.sequence}</small>}
            </span>
          </li>
        ))}
      </ol>
    </>
  );
}

/** What was done, with the name of who did it set off. */
function Deed({ line: { text, operator, key } }: { readonly line: AuditView }) {
  if (operator === undefined) return text;
  const [before, after] = around(text, operator);
  return (
    <>
      {before}
      <b title={key}>{operator}</b>
      {after}
    </>
  );
}
