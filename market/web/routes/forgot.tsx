import { useState } from "preact/hooks";
import { ApiError, forgotPassword } from "../api.ts";
import { isEmail } from "../lib/email.ts";
import { tooMany } from "../lib/wait.ts";
import { AccountForm } from "../parts/account_form.tsx";
import { Field } from "../parts/field.tsx";
import type { Wrong } from "../parts/form.ts";
import { Outcome } from "../parts/outcome.tsx";
import { type PageProps, useTitle } from "../parts/page.tsx";
import { announce } from "../state/notices.ts";

interface Asked {
  readonly email: string;
  readonly minutes: number;
}

export default function Forgot(_: PageProps) {
  useTitle("Forgotten password");
  const [asked, setAsked] = useState<Asked>();
  return (
    <div class="page narrow">
      <div class="panel sign-in">
        {asked ? <Sent asked={asked} /> : <Form done={setAsked} />}
      </div>
    </div>
  );
}

function Sent({ asked: { email, minutes } }: { asked: Asked }) {
  return (
    <Outcome title="Look into your mail">
      <p class="hint">
        If there is an account with{" "}
        <b>{email}</b>, a mail with a link is on its way. The link works once, within {minutes}{" "}
        minutes. Nothing there? It may be among the spam, or the account has another address.
      </p>
      <a class="button wide" href="/sign-in">Back to sign in</a>
    </Outcome>
  );
}

function Form({ done }: { done: (asked: Asked) => void }) {
  const [email, setEmail] = useState("");
  const [wrong, setWrong] = useState<Wrong>();
  const [sending, setSending] = useState(false);

  const send = async () => {
    const address = email.trim();
    if (!isEmail(address)) {
      return setWrong({ field: "email", text: "Enter the email address of your account." });
    }
    setSending(true);
    setWrong(undefined);
    try {
      const validForS = await forgotPassword(address);
      announce("Look into your mail.");
      done({ email: address, minutes: Math.round(validForS / 60) });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setSending(false);
      const { code, field } = error;
      setWrong(
        code === "throttled" ? { text: tooMany(error.waitS) } : { field, text: error.message },
      );
    }
  };
  return (
    <AccountForm
      wrong={wrong}
      fields={["email"]}
      sending={sending}
      submit="Send me the mail"
      send={send}
    >
      <h1>Forgot your password?</h1>
      <p class="hint">We send you a mail with a link to choose another.</p>
      <Field
        label="Email"
        name="email"
        type="email"
        value={email}
        onInput={setEmail}
        error={wrong?.field === "email" ? wrong.text : undefined}
        autocomplete="email"
      />
    </AccountForm>
  );
}
