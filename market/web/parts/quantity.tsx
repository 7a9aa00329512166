import { PIECES } from "../lib/cart.ts";
import { Icon } from "./icon.tsx";

/** A number of pieces between 1 and what there is, by buttons or typing. */
export function Quantity(
  props: { value: number; max?: number; of: string; onChange: (quantity: number) => void },
) {
  const max = Math.min(PIECES, props.max ?? PIECES);
  const set = (wanted: number) => {
    const quantity = Math.min(max, Math.max(1, Math.trunc(wanted) || 1));
    if (quantity !== props.value) props.onChange(quantity);
  };
  return (
    <div class="quantity" role="group" aria-label={`Quantity of ${props.of}`}>
      <button
        type="button"
        aria-label="One less"
        disabled={props.value <= 1}
        onClick={() => set(props.value - 1)}
      >
        <Icon name="minus" />
      </button>
      <input
        type="text"
        inputMode="numeric"
        aria-label="Quantity"
        value={props.value}
        onChange={(event) => {
          set(Number(event.currentTarget.value));
          event.currentTarget.value = String(props.value);
        }}
      />
      <button
        type="button"
        aria-label="One more"
        disabled={props.value >= max}
        onClick={() => set(props.value + 1)}
      >
        <Icon name="plus" />
      </button>
    </div>
  );
}
