import { signatureRow } from "./signatures.ts";

export const row = signatureRow("verify");
