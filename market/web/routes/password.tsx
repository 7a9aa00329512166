import { useEffect, useState } from "preact/hooks";
import { ApiError, changePassword } from "../api.ts";
import type { User } from "../api_types.ts";
import { tooMany } from "../lib/wait.ts";
import { AccountForm, NewPassword } from "../parts/account_form.tsx";
import { Field } from "../parts/field.tsx";
import type { Wrong } from "../parts/form.ts";
import { Outcome } from "../parts/outcome.tsx";
import { type PageProps, useTitle } from "../parts/page.tsx";
import { go } from "../state/navigation.ts";
import { announce, notify } from "../state/notices.ts";
import { signIn, signOut, user } from "../state/session.ts";

export default function Password(_: PageProps) {
  useTitle("Change password");
  const who = user.value;
  const [changed, setChanged] = useState(false);
  useEffect(() => {
    if (!who) go("/sign-in?next=/password", { replace: true });
  }, [who]);
  if (!who) return null;
  return (
    <div class="page narrow">
      <div class="panel sign-in">
        {changed ? <Changed /> : <Form who={who} changed={() => setChanged(true)} />}
      </div>
    </div>
  );
}

function Changed() {
  return (
    <Outcome title="Password changed">
      <p class="hint">
        You stay signed in here. Every other device has to sign in with the new one.
      </p>
      <a class="button wide" href="/catalog">Keep looking</a>
    </Outcome>
  );
}

function Form({ who, changed }: { who: User; changed: () => void }) {
  const [current, setCurrent] = useState("");
  const [next, setNext] = useState("");
  const [shown, setShown] = useState(false);
  const [wrong, setWrong] = useState<Wrong>();
  const [sending, setSending] = useState(false);

  const send = async () => {
    const missing = firstMissing(current, next);
    if (missing) return setWrong(missing);
    setSending(true);
    setWrong(undefined);
    try {
      signIn(await changePassword(who.email, { password: current, new_password: next }));
      announce("Your password is changed.");
      changed();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setSending(false);
      if (error.code === "signed_out") {
        notify("failed", "Your session has ended. Sign in again to change your password.");
        return signOut();
      }
      setWrong(inWords(error));
    }
  };
  const at = (field: string) => wrong?.field === field ? wrong.text : undefined;
  return (
    <AccountForm
      wrong={wrong}
      fields={["password", "new_password"]}
      sending={sending}
      submit="Change password"
      send={send}
      aside={<a href="/forgot">Forgot your password?</a>}
    >
      {/* Tells a password manager whose password it is. */}
      <input type="email" autocomplete="username" value={who.email} readOnly hidden />
      <h1>Change password</h1>
      <p class="hint">Every other device will be signed out.</p>
      <Field
        label="Current password"
        name="password"
        type={shown ? "text" : "password"}
        value={current}
        onInput={setCurrent}
        error={at("password")}
        autocomplete="current-password"
        maxLength={128}
      />
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

function firstMissing(current: string, next: string): Wrong | undefined {
  if (current === "") return { field: "password", text: "Enter your current password." };
  if (next.length < 8) return { field: "new_password", text: "Use at least 8 characters." };
  if (next === current) {
    return { field: "new_password", text: "This is your current one. Choose another." };
  }
  return undefined;
}

function inWords(error: ApiError): Wrong {
  const { code, field } = error;
  switch (code) {
    case "forbidden":
      return field === "password"
        ? { field, text: "This is not your current password." }
        : { text: error.message };
    case "conflict":
      return { text: "Your password was changed elsewhere just now. Sign in again with that one." };
    case "throttled":
      return { text: tooMany(error.waitS) };
    default:
      return { field, text: error.message };
  }
}
