import { useId } from "preact/hooks";

/** A labelled text field with its error beside it, told to screen readers. */
export function Field(props: {
  label: string;
  name: string;
  value: string;
  onInput: (value: string) => void;
  error?: string;
  hint?: string;
  type?: "text" | "email" | "password";
  autocomplete?: string;
  inputMode?: "text" | "numeric" | "email" | "decimal";
  optional?: boolean;
  minLength?: number;
  maxLength?: number;
}) {
  const id = useId();
  const described = props.error ? `${id}-error` : props.hint ? `${id}-hint` : undefined;
  return (
    <div class="field">
      <label for={id}>
        {props.label}
        {props.optional && <span class="optional">optional</span>}
      </label>
      <input
        id={id}
        name={props.name}
        type={(props.type ?? "text") as "text"}
        inputMode={props.inputMode}
        value={props.value}
        required={!props.optional}
        minLength={props.minLength}
        maxLength={props.maxLength ?? 200}
        autocomplete={props.autocomplete as "on" | undefined}
        aria-invalid={props.error ? "true" : undefined}
        aria-describedby={described}
        onInput={(event) => props.onInput(event.currentTarget.value)}
      />
      {props.hint && !props.error && <p class="hint" id={`${id}-hint`}>{props.hint}</p>}
      {props.error && <p class="field-error" id={`${id}-error`}>{props.error}</p>}
    </div>
  );
}
