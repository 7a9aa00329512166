// A form that narrows what is followed, and why it may not be.

interface Props {
  /** Names of the query's parameters, what they are called, and what stands there at first. */
  readonly fields: readonly (readonly [name: string, label: string, value?: string])[];
  readonly button: string;
  /** Hears the parameters that were given: `&app=shop&grep=error`. */
  readonly search: (query: string) => void;
}

export function SearchForm({ fields, button, search }: Props) {
  const submit = (event: Event) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    search(
      fields.map(([name]) => parameter(name, String(form.get(name) ?? "").trim())).join(""),
    );
  };
  return (
    <form class="search" onSubmit={submit}>
      {fields.map(([name, label, value]) => (
        <label>
          {label} <input type="search" name={name} defaultValue={value} />
        </label>
      ))}
      <button type="submit">{button}</button>
    </form>
  );
}

/** A parameter of a query, for the end of it; empty where there is no value. */
export function parameter(name: string, value: string): string {
  return value === "" ? "" : `&${name}=${encodeURIComponent(value)}`;
}

export function Problem({ text }: { readonly text: string | null }) {
  return text === null ? null : <p class="card problems" role="alert">{text}</p>;
}
