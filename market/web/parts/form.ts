import { useEffect, useRef } from "preact/hooks";

/** What is wrong with a form: with one of its fields, or with all of it. */
export interface Wrong {
  readonly field?: string;
  readonly text: string;
}

/** For the form's `ref`: the first field that is wrong gets the focus. */
export function useFocusOnWrong(wrong: Wrong | undefined) {
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => {
    form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
  }, [wrong]);
  return form;
}
