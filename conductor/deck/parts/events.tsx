import type { EventView } from "../../../core/view.ts";
import { clock } from "../format.ts";

const BAD = /refused|unplaced|dead|failed|failing|exited|rolled-back|oom|denied/;
const GOOD = /ready|joined|back|done|finished/;

export function EventList({ events }: { readonly events: readonly EventView[] }) {
  if (events.length === 0) return <p class="hush">Nothing has happened yet.</p>;
  return (
    <ol class="events">
      {events.map((event) => (
        <li key={event.sequence}>
          <time dateTime={new Date(event.wallMs).toISOString()}>{clock(event.wallMs)}</time>
          <span
            class={`kind ${BAD.test(event.kind) ? "bad" : GOOD.test(event.kind) ? "good" : ""}`}
          >
            {event.kind}
          </span>
          <span class="words">{event.text}</span>
        </li>
      ))}
    </ol>
  );
}
