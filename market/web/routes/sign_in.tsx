import { useEffect, useState } from "preact/hooks";
import { ApiError, login, register } from "../api.ts";
import { isEmail } from "../lib/email.ts";
import { safeNext } from "../lib/query.ts";
import { tooMany } from "../lib/wait.ts";
import { AccountForm } from "../parts/account_form.tsx";
import { Field } from "../parts/field.tsx";
import type { Wrong } from "../parts/form.ts";
import { type PageProps, useTitle } from "../parts/page.tsx";
import { go, place } from "../state/navigation.ts";
import { announce } from "../state/notices.ts";
import { signIn, user } from "../state/session.ts";

type Mode = "sign-in" | "register";

export default function SignIn(_: PageProps) {
  const { query } = place.value;
  const next = safeNext(query.get("next"));
  const [mode, setMode] = useState<Mode>(query.get("new") === "1" ? "register" : "sign-in");
  useTitle(mode === "register" ? "Create an account" : "Sign in");
  useEffect(() => {
    if (user.peek()) go(next, { replace: true });
  }, []);
  return (
    <div class="page narrow">
      <div class="panel sign-in">
        <h1>{mode === "register" ? "Create an account" : "Welcome back"}</h1>
        <p class="hint">
          {next === "/checkout"
            ? "Your cart is kept. Sign in to have it delivered."
            : "For orders, addresses and reviews. Nothing else."}
        </p>
        <div class="switch" role="group" aria-label="Have you been here before?">
          <button
            type="button"
            aria-pressed={mode === "sign-in"}
            onClick={() => setMode("sign-in")}
          >
            I have an account
          </button>
          <button
            type="button"
            aria-pressed={mode === "register"}
            onClick={() => setMode("register")}
          >
            I am new
          </button>
        </div>
        <Form key={mode} mode={mode} next={next} />
      </div>
    </div>
  );
}

function Form(props: { mode: Mode; next: string }) {
  const fresh = props.mode === "register";
  const [name, setName] = useState("");
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [wrong, setWrong] = useState<Wrong>();
  const [sending, setSending] = useState(false);

  const send = async () => {
    const missing = fresh ? firstMissing(name, email, password) : undefined;
    if (missing) return setWrong(missing);
    setSending(true);
    setWrong(undefined);
    try {
      const answer = fresh
        ? await register({ email: email.trim(), password, name: name.trim() })
        : await login({ email: email.trim(), password });
      signIn(answer);
      announce(`You are signed in as ${answer.user.name}.`);
      go(props.next, { replace: true });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setSending(false);
      setWrong(inWords(error));
    }
  };
  const at = (field: string) => wrong?.field === field ? wrong.text : undefined;
  return (
    <AccountForm
      wrong={wrong}
      fields={["name", "email", "password"]}
      sending={sending}
      submit={fresh ? "Create account" : "Sign in"}
      send={send}
      validate={!fresh}
      aside={!fresh && <a href="/forgot">Forgot your password?</a>}
    >
      {fresh && (
        <Field
          label="Your name"
          name="name"
          value={name}
          onInput={setName}
          error={at("name")}
          autocomplete="name"
          maxLength={100}
        />
      )}
      <Field
        label="Email"
        name="email"
        type="email"
        value={email}
        onInput={setEmail}
        error={at("email")}
        autocomplete="email"
      />
      <Field
        label="Password"
        name="password"
        type="password"
        value={password}
        onInput={setPassword}
        error={at("password")}
        hint={fresh ? "8 characters or more. A sentence is a good one." : undefined}
        autocomplete={fresh ? "new-password" : "current-password"}
        maxLength={128}
      />
    </AccountForm>
  );
}

function firstMissing(name: string, email: string, password: string): Wrong | undefined {
  if (name.trim() === "") return { field: "name", text: "Tell us what to call you." };
  if (!isEmail(email.trim())) {
    return { field: "email", text: "Enter an email address such as ada@example.org." };
  }
  if (password.length < 8) return { field: "password", text: "Use at least 8 characters." };
  return undefined;
}

function inWords(error: ApiError): Wrong {
  switch (error.code) {
    case "signed_out":
      return { text: "This email and password do not go together." };
    case "conflict":
      return {
        field: "email",
        text: "There is an account with this email already. Sign in instead.",
      };
    case "throttled":
      return { text: tooMany(error.waitS) };
    default:
      return { field: error.field, text: error.message };
  }
}
