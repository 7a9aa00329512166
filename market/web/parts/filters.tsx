// What the catalog's and the search's filters share.

import type { ComponentChildren } from "preact";
import { useEffect, useId, useState } from "preact/hooks";
import { moneyField, parseMoney } from "../lib/money.ts";
import { Icon } from "./icon.tsx";

/** Filters beside the results; on a phone behind a button above them. */
export function FilterPanel(props: { active: number; children: ComponentChildren }) {
  const [open, setOpen] = useState(false);
  const id = useId();
  return (
    <aside class={open ? "filters open" : "filters"} aria-label="Filters">
      <button
        type="button"
        class="button quiet filters-toggle"
        aria-expanded={open}
        aria-controls={id}
        onClick={() => setOpen(!open)}
      >
        <Icon name="filter" />
        {props.active > 0 ? `Filters · ${props.active}` : "Filters"}
      </button>
      <div class="filters-body" id={id}>{props.children}</div>
    </aside>
  );
}

export interface Chip {
  readonly text: string;
  /** The same results without this filter. */
  readonly href: string;
}

/** The filters at work, each a link that takes it away. */
export function Chips(props: { chips: readonly Chip[]; clear: { href: string } }) {
  if (props.chips.length === 0) return <span />;
  return (
    <ul class="chips" aria-label="Active filters">
      {props.chips.map(({ text, href }) => (
        <li key={text}>
          <a class="chip" data-refine href={href}>
            <span class="hidden">Remove filter:</span>
            {text}
            <Icon name="close" />
          </a>
        </li>
      ))}
      {props.chips.length > 1 && (
        <li>
          <a class="chip clear" data-refine href={props.clear.href}>Clear all</a>
        </li>
      )}
    </ul>
  );
}

/** Two price fields, in dollars for the shopper and cents for everybody else. */
export function PriceFilter(props: {
  min: number | undefined;
  max: number | undefined;
  onChange: (min: number | undefined, max: number | undefined) => void;
}) {
  const [low, setLow] = useState(moneyField(props.min));
  const [high, setHigh] = useState(moneyField(props.max));
  const [wrong, setWrong] = useState("");
  const id = useId();
  useEffect(() => {
    setLow(moneyField(props.min));
    setHigh(moneyField(props.max));
  }, [props.min, props.max]);
  const submit = () => {
    const min = low.trim() === "" ? undefined : parseMoney(low);
    const max = high.trim() === "" ? undefined : parseMoney(high);
    const unread = (low.trim() !== "" && min === undefined) ||
      (high.trim() !== "" && max === undefined);
    if (unread) return setWrong("Enter amounts such as 25 or 49.90.");
    if (min !== undefined && max !== undefined && min > max) {
      return setWrong("The lowest price is above the highest.");
    }
    setWrong("");
    props.onChange(min, max);
  };
  return (
    <form
      class="filter"
      aria-label="Price"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <h3>Price</h3>
      <div class="price-fields">
        <PriceField
          label="Lowest price, dollars"
          placeholder="From"
          value={low}
          set={setLow}
          wrong={wrong !== ""}
          by={id}
        />
        <PriceField
          label="Highest price, dollars"
          placeholder="To"
          value={high}
          set={setHigh}
          wrong={wrong !== ""}
          by={id}
        />
        <button type="submit" class="button quiet small">Go</button>
      </div>
      <p class="field-error" id={id} role="alert">{wrong}</p>
    </form>
  );
}

function PriceField(props: {
  label: string;
  placeholder: string;
  value: string;
  set: (value: string) => void;
  wrong: boolean;
  by: string;
}) {
  return (
    <input
      type="text"
      inputMode="decimal"
      maxLength={12}
      aria-label={props.label}
      placeholder={props.placeholder}
      value={props.value}
      aria-invalid={props.wrong || undefined}
      aria-describedby={props.wrong ? props.by : undefined}
      onInput={(event) => props.set(event.currentTarget.value)}
    />
  );
}
