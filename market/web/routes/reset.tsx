import { useEffect, useState } from "preact/hooks";
import { ApiError, resetPassword } from "../api.ts";
import { tooMany } from "../lib/wait.ts";
import { AccountForm, NewPassword } from "../parts/account_form.tsx";
import { Field } from "../parts/field.tsx";
import type { Wrong } from "../parts/form.ts";
import { Outcome } from "../parts/outcome.tsx";
import { type PageProps, useTitle } from "../parts/page.tsx";
import { announce } from "../state/notices.ts";
import { signOut } from "../state/session.ts";

export default function Reset(_: PageProps) {
  useTitle("Choose a new password");
  const [done, setDone] = useState(false);
  const token = useToken();
  return (
    <div class="page narrow">
      <div class="panel sign-in">
        {done ? <Changed /> : <Form key={token} given={token} done={() => setDone(true)} />}
      </div>
    </div>
  );
}

/** What the mail's link has behind "#", where no server sees it; empty without one. */
function useToken(): string {
  const read = () => location.hash.slice(1);
  const [token, setToken] = useState(read);
  useEffect(() => {
    const changed = () => setToken(read());
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return token;
}

function Changed() {
  return (
    <Outcome title="Password changed">
      <p class="hint">Sign in with it, here and on every other device.</p>
      <a class="button wide" href="/sign-in">Sign in</a>
    </Outcome>
  );
}

function Form({ given, done }: { given: string; done: () => void }) {
  const [token, setToken] = useState(given);
  const [next, setNext] = useState("");
  const [shown, setShown] = useState(false);
  const [wrong, setWrong] = useState<Wrong>();
  const [sending, setSending] = useState(false);
  const asksCode = given === "";

  const send = async () => {
    const missing = firstMissing(token, next);
    if (missing) return setWrong(missing);
    setSending(true);
    setWrong(undefined);
    try {
      await resetPassword({ token, new_password: next });
      // Whoever is signed in here has to sign in anew.
      signOut();
      announce("Your password is changed.");
      done();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setSending(false);
      if (error.code === "conflict") signOut();
      setWrong(inWords(error));
    }
  };
  const at = (field: string) => wrong?.field === field ? wrong.text : undefined;
  return (
    <AccountForm
      wrong={wrong}
      fields={asksCode ? ["token", "new_password"] : ["new_password"]}
      sending={sending}
      submit="Set new password"
      send={send}
      aside={<a href="/forgot">Send me another mail</a>}
    >
      <h1>Choose a new password</h1>
      <p class="hint">Every device will have to sign in with it.</p>
      {asksCode && (
        <Field
          label="Code from the mail"
          name="token"
          value={token}
          onInput={setToken}
          error={at("token")}
          autocomplete="one-time-code"
          maxLength={100}
        />
      )}
      <NewPassword
        value={next}
        onInput={setNext}
        error={at("new_password")}
        shown={shown}
        show={setShown}
      />
    </AccountForm>
  );
}

function firstMissing(token: string, next: string): Wrong | undefined {
  if (token.trim() === "") return { field: "token", text: "Enter the code from the mail." };
  if (next.length < 8) return { field: "new_password", text: "Use at least 8 characters." };
  return undefined;
}

function inWords(error: ApiError): Wrong {
  const { code, field } = error;
  if (code === "throttled") return { text: tooMany(error.waitS) };
  return field === "token"
    ? { field, text: "This link was used already, or is too old. Ask for another mail." }
    : { field, text: error.message };
}
