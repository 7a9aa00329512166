import type { ComponentChildren } from "preact";
import { Field } from "./field.tsx";
import { useFocusOnWrong, type Wrong } from "./form.ts";

/** A form of an account: its fields, what is wrong with it as a whole, and its one button. */
export function AccountForm(props: {
  wrong: Wrong | undefined;
  /** Names of the fields beside which a mistake is shown; any other is the whole form's. */
  fields: readonly string[];
  sending: boolean;
  /** What the button says. */
  submit: string;
  send: () => void;
  /** Let the browser find mistakes before anything is sent. */
  validate?: boolean;
  children: ComponentChildren;
  /** Below the button. */
  aside?: ComponentChildren;
}) {
  const { wrong, sending } = props;
  const form = useFocusOnWrong(wrong);
  return (
    <form
      ref={form}
      noValidate={!props.validate}
      onSubmit={(event) => {
        event.preventDefault();
        props.send();
      }}
    >
      {props.children}
      {wrong && !props.fields.includes(wrong.field ?? "") && (
        <p class="field-error" role="alert">{wrong.text}</p>
      )}
      <button type="submit" class="button wide" disabled={sending}>
        {sending ? "One moment…" : props.submit}
      </button>
      {props.aside && <p class="aside">{props.aside}</p>}
    </form>
  );
}

/** The password to come, and whether what is typed is shown. */
export function NewPassword(props: {
  value: string;
  onInput: (value: string) => void;
  error: string | undefined;
  shown: boolean;
  show: (shown: boolean) => void;
}) {
  return (
    <>
      <Field
        label="New password"
        name="new_password"
        type={props.shown ? "text" : "password"}
        value={props.value}
        onInput={props.onInput}
        error={props.error}
        hint="8 characters or more. A sentence is a good one."
        autocomplete="new-password"
        maxLength={128}
      />
      <label class="check">
        <input
          type="checkbox"
          checked={props.shown}
          onChange={(event) => props.show(event.currentTarget.checked)}
        />
        <span>Show what I type</span>
      </label>
    </>
  );
}
